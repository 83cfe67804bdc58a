"""A table says the same in plain text, Markdown and LaTeX."""

import pytest

from stream3r_ros.evaluation.table import Column, Row, Table

TABLE = Table(
    'some_test',
    (Column('AbsRel'), Column('delta<1.25', 'higher', 2)),
    (Row('theirs & others', (0.0571, None)), Row('demo', (0.5, 0.25), is_ours=True)),
)


def test_plain_text_is_aligned():
    assert TABLE.to_text() == (
        'some_test\n'
        '                 AbsRel ↓  delta<1.25 ↑\n'
        'theirs & others     0.057             -\n'
        'demo                0.500          0.25\n'
    )


def test_markdown_has_our_rows_in_bold():
    assert TABLE.to_markdown().splitlines()[2:] == [
        '|  | AbsRel ↓ | delta<1.25 ↑ |',
        '| --- | ---: | ---: |',
        '| theirs & others | 0.057 | - |',
        '| **demo** | 0.500 | 0.25 |',
    ]


def test_latex_escapes_what_is_special():
    assert TABLE.to_latex().splitlines() == [
        '% some_test',
        r'\begin{tabular}{lrr}',
        r'\toprule',
        r' & AbsRel $\downarrow$ & delta$<$1.25 $\uparrow$ \\',
        r'\midrule',
        r'theirs \& others & 0.057 & - \\',
        r'\textbf{demo} & 0.500 & 0.25 \\',
        r'\bottomrule',
        r'\end{tabular}',
    ]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match='row x has 1 values for 2 columns'):
        Table('t', TABLE.columns, (Row('x', (1.0,)),))
