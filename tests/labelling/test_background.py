from pixelwise.labelling.background import BackgroundThread


class Counter(BackgroundThread):
    def __init__(self) -> None:
        super().__init__("counter")
        self.closings = 0
        self._start()

    def _run(self) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._closed)
        self.closings += 1


def test_closing_wakes_the_thread_and_waits_for_its_end() -> None:
    counter = Counter()
    assert counter.closings == 0
    counter.close()
    assert counter.closings == 1
    assert not counter._thread.is_alive()
