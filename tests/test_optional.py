import pytest

from pixelwise.errors import ConfigError
from pixelwise.optional import (
    InstallationError,
    installation_error,
    wrap_import_faults,
)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("operator torchvision::nms does not exist"),
        OSError("libcudart.so.12: cannot open shared object file: No such file or directory"),
        ImportError("DLL load failed while importing _C", name="torch._C"),
        ModuleNotFoundError("No module named 'timm'", name="timm"),
    ],
)
def test_faults_of_the_installed_packages_are_told_as_such(error: Exception) -> None:
    fault = installation_error(error)
    assert isinstance(fault, InstallationError)
    assert str(fault).startswith(f"the installation is at fault, not your files: {error}")
    with pytest.raises(InstallationError), wrap_import_faults():
        raise error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("size mismatch for weight"),
        FileNotFoundError(2, "No such file or directory", "a.png"),
        ImportError("cannot import name 'x'", name="pixelwise.errors"),
    ],
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert installation_error(error) is None
    with pytest.raises(type(error)) as caught, wrap_import_faults():
        raise error
    assert caught.value is error


def test_errors_of_ours_pass() -> None:
    with pytest.raises(ConfigError, match="choose another"), wrap_import_faults():
        raise ConfigError("choose another")
