"""The server keeps to its own OpenAPI description, whatever fits or does not fit it is sent."""

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from pixelwise.serving import Settings, create_app

from .conftest import predictor_of

APP = create_app({"a": predictor_of()}, Settings(max_bytes=100_000))
OWN = {"Host": "localhost"}
schema = schemathesis.openapi.from_asgi("/openapi.json", APP, headers=OWN)


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
def test_every_answer_is_as_described(case: schemathesis.Case) -> None:
    # no schema can say what an image is
    case.call_and_validate(headers=OWN, excluded_checks=[positive_data_acceptance])
