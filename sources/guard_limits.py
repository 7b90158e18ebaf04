"""What a file may hold. Figures from measurements: no ordinary workbook of nearly 1,600 came near them."""

from __future__ import annotations

MIB = 1 << 20

MAX_FILE = 20 * MIB
MAX_ENTRIES = 2_000  # the largest ordinary package seen has 1,033
MAX_TOTAL = 256 * MIB
MAX_ENTRY = 128 * MIB  # the largest ordinary part seen has 112 MiB
MAX_RATIO = 200  # ordinary p99.9: 140
RATIO_FLOOR = MIB  # below this size a part may be as compressible as it likes
MAX_DEPTH = 64
MAX_ATTRIBUTES = 256
MAX_SHEETS = 200
MAX_CELLS = 5_000_000
MAX_ROWS = 200_000
MAX_COLUMNS = 2_000
MAX_BOX = 5_000_000  # rows × columns of one sheet: a reader allocates the whole rectangle
MAX_BOXES = 20_000_000  # the same, over all sheets of a workbook
MAX_STRINGS = 256 * MIB  # all shared strings, each as often as it is referenced
MAX_MERGES = 20_000
MAX_MERGED_AREA = 5_000_000
MAX_COLLECTED = 200_000  # error cells, uncalculated formulas: more than this need not be listed one by one

SHEET_ROWS = 1_048_576
SHEET_COLUMNS = 16_384
