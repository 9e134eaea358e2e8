"""The viewer of the reader study and of the interpretation page: full depth, windowed in the browser.

    pixels.py              an image file -> bytes of grey values, stripped of all else
    static/viewer.js, .css canvas viewer: window, zoom, pan, invert, boxes, several views, keyboard and touch

A page that shows images mounts `STATIC`, loads `viewer.js` as a module and calls

    const viewer = mountViewer(element, [{ url, label, boxes: [{ label, x1, y1, x2, y2 }] }]);

It asks nothing of anybody but the `url` of each image, and works under a policy of `default-src 'self'`.
"""

from pathlib import Path

STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Type": "application/octet-stream",
    "Content-Encoding": "gzip",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
"""What a route sends along with the bytes of `pixels.encode`. The browser unpacks them, and keeps
none: a computer that several people use would show the images of one to the next."""
