"""Decodes a video file and writes a y4m file: cropped to 16:9, scaled, 8 bit 4:2:0.

usage: clip.py SOURCE FIRST FRAMES WIDTH HEIGHT TARGET
"""

import sys

import av
from av.filter import Graph

source, *numbers, target = sys.argv[1:]
first, frames, width, height = map(int, numbers)

with av.open(source) as container, open(target, "wb") as output:
    stream = container.streams.video[0]
    graph = Graph()
    chain = [
        graph.add_buffer(template=stream, time_base=stream.time_base),
        graph.add("crop", "'min(iw,ih*16/9)':'min(ih,iw*9/16)'"),
        graph.add("scale", f"{width}:{height}:flags=lanczos"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*chain).configure()
    output.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode())
    for number, frame in enumerate(container.decode(stream)):
        if number == first + frames:
            break
        graph.push(frame)
        scaled = graph.pull()
        if number < first:
            continue
        output.write(b"FRAME\n")
        for plane in scaled.planes:
            rows = memoryview(plane)
            for row in range(plane.height):
                start = row * plane.line_size
                output.write(rows[start : start + plane.width])
