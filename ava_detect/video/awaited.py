"""Which packets went into a decoder and which frames have come out of it."""

import heapq


class AwaitedFrames:
    """Packets in the order of decoding, matched by timestamp with frames in the order of presentation.

    Attributes:
        oldest: the first position in the order of decoding that has neither come out nor been given up.
        latest_pts: the highest timestamp of a frame that came out.
    """

    def __init__(self) -> None:
        self._sent = 0
        self._heap: list[tuple[int, int]] = []  # (timestamp, position in the order of decoding)
        self._settled: set[int] = set()  # positions from ``oldest`` on that need not be awaited
        self.oldest = 0
        self.latest_pts: int | None = None

    def send(self, pts: int) -> None:
        """Note that the packet with this timestamp went in."""
        heapq.heappush(self._heap, (pts, self._sent))
        self._sent += 1

    def receive(self, pts: int) -> tuple[int, list[int]]:
        """Note that the frame with this timestamp came out.

        Returns:
            The position of its packet in the order of decoding, -1 if no packet has its timestamp; and the
            positions of packets that should have come out before it and did not.
        """
        self.latest_pts = pts if self.latest_pts is None else max(pts, self.latest_pts)
        lost = []
        while self._heap and self._heap[0][0] < pts:
            lost.append(heapq.heappop(self._heap)[1])
        position = heapq.heappop(self._heap)[1] if self._heap and self._heap[0][0] == pts else -1
        self._settled.update(lost, [position])
        while self.oldest in self._settled:
            self._settled.remove(self.oldest)
            self.oldest += 1
        return position, lost

    @property
    def furthest_pts(self) -> int | None:
        """The highest timestamp that has not come out."""
        return max(self._heap)[0] if self._heap else None
