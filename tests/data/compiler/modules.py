"""Small modules, each for what its name says."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

SUM = b"""
define i32 @sum(ptr %numbers, i32 %count) {
entry:
  %total = alloca i32
  %index = alloca i32
  store i32 0, ptr %total
  store i32 0, ptr %index
  br label %test
test:
  %i = load i32, ptr %index
  %more = icmp slt i32 %i, %count
  br i1 %more, label %body, label %done
body:
  %j = load i32, ptr %index
  %address = getelementptr i32, ptr %numbers, i32 %j
  %number = load i32, ptr %address
  %before = load i32, ptr %total
  %after = add i32 %before, %number
  store i32 %after, ptr %total
  %next = add i32 %j, 1
  store i32 %next, ptr %index
  br label %test
done:
  %answer = load i32, ptr %total
  ret i32 %answer
}
"""
SUM_COUNT = 19

# To evaluate the constructor, global_opt makes a value of each element: 4 GB
OUT_OF_MEMORY = b"""
@huge = internal global [500000000 x i32] zeroinitializer
@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 0, ptr @first, ptr null }]
define internal void @first() {
  store i32 1, ptr @huge
  ret void
}
define i32 @read() {
  %value = load i32, ptr @huge
  ret i32 %value
}
"""


def growing(levels: int = 2, calls: int = 30) -> bytes:
    """``always_inliner`` multiplies the smallest function by ``calls`` on each level; on five it takes very long."""
    stores = "\n".join("  store volatile i32 0, ptr %p" for _ in range(calls))
    functions = [f"define void @f0(ptr %p) alwaysinline {{\n{stores}\n  ret void\n}}"]
    for level in range(1, levels + 1):
        body = "\n".join(f"  call void @f{level - 1}(ptr %p)" for _ in range(calls))
        always = "alwaysinline " if level < levels else ""
        functions.append(f"define void @f{level}(ptr %p) {always}{{\n{body}\n  ret void\n}}")
    return "\n".join(functions).encode()


def made_by(bitcode: bytes, producer: bytes) -> bytes:
    """Bitcode with another producer, and an end that its reader stumbles over. Both names have letters of 6 bits each."""
    letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"
    number = int.from_bytes(bitcode, "little")

    def packed(name: bytes) -> int:
        return sum(letters.index(letter) << 6 * i for i, letter in enumerate(name))

    mask = (1 << 6 * len(producer)) - 1
    shift = next(i for i in range(8 * 200) if number >> i & mask == packed(b"LLVM22.1.0"))
    number = number & ~(mask << shift) | packed(producer) << shift
    content = bytearray(number.to_bytes(len(bitcode), "little"))
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    return bytes(content)


def program_of_the_corpus(name: str, archive: str = "test.tar.xz") -> bytes:
    path = Path(os.environ.get("REPRISE_DATA", "datasets")) / "compiler" / archive
    if not path.exists():
        pytest.skip(f"the corpus is not there: {path}")
    with tarfile.open(path) as members:
        file = members.extractfile(name)
        assert file is not None
        return file.read()


def archive(folder: Path, members: dict[str, bytes], split: str = "train") -> Path:
    """Write a part of a corpus, texts or bitcode by ``family/program.bc``; its path."""
    path = folder / f"{split}.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
