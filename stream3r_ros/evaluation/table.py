"""One table of numbers as plain text, Markdown or LaTeX."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = '-'
LATEX_SPECIAL = {'&': r'\&', '%': r'\%', '_': r'\_', '#': r'\#', '<': '$<$', '>': '$>$'}


@dataclass(frozen=True)
class Column:
    """What a column holds; `better` is `lower` or `higher`."""

    label: str
    better: str = 'lower'
    digits: int = 3


@dataclass(frozen=True)
class Row:
    """One method; None where it has no number. `is_ours` marks what was measured here."""

    name: str
    values: tuple[float | None, ...]
    is_ours: bool = False


@dataclass(frozen=True)
class Table:
    """Columns and rows under a title; raises ValueError when they do not fit."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        """Check that every row has a value for every column."""
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(
                    f'row {row.name} has {len(row.values)} values for {len(self.columns)} columns'
                )

    def to_text(self) -> str:
        """Write it for a terminal."""
        lines = [['', *(f'{column.label} {_arrow(column)}' for column in self.columns)]]
        lines += [[row.name, *self._cells(row)] for row in self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
        text = ['  '.join(_justified(line, widths)).rstrip() for line in lines]
        return '\n'.join([self.title, *text]) + '\n'

    def to_markdown(self) -> str:
        """Write it as Markdown, with our rows in bold."""
        head = ['', *(f'{column.label} {_arrow(column)}' for column in self.columns)]
        rule = ['---', *('---:' for _ in self.columns)]
        lines = [head, rule]
        for row in self.rows:
            name = f'**{row.name}**' if row.is_ours else row.name
            lines.append([name, *self._cells(row)])
        return '\n'.join([self.title, '', *(f'| {" | ".join(line)} |' for line in lines)]) + '\n'

    def to_latex(self) -> str:
        """Write it as a LaTeX tabular with booktabs' rules, with our rows in bold."""
        head = [f'{_escaped(c.label)} {_latex_arrow(c)}' for c in self.columns]
        lines = [
            f'% {self.title}',
            rf'\begin{{tabular}}{{l{"r" * len(self.columns)}}}',
            r'\toprule',
            f' & {" & ".join(head)} \\\\',
            r'\midrule',
        ]
        for row in self.rows:
            name = _escaped(row.name)
            name = rf'\textbf{{{name}}}' if row.is_ours else name
            lines.append(f'{name} & {" & ".join(self._cells(row))} \\\\')
        return '\n'.join([*lines, r'\bottomrule', r'\end{tabular}']) + '\n'

    def _cells(self, row: Row) -> list[str]:
        return [
            NOTHING if value is None else f'{value:.{column.digits}f}'
            for column, value in zip(self.columns, row.values, strict=True)
        ]


def _justified(line: list[str], widths: list[int]) -> list[str]:
    name, *cells = line
    return [name.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:], strict=True))]


def _arrow(column: Column) -> str:
    return '\N{DOWNWARDS ARROW}' if column.better == 'lower' else '\N{UPWARDS ARROW}'


def _latex_arrow(column: Column) -> str:
    return r'$\downarrow$' if column.better == 'lower' else r'$\uparrow$'


def _escaped(text: str) -> str:
    return ''.join(LATEX_SPECIAL.get(letter, letter) for letter in text)
