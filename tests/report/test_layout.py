from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.report.layout import Block, paginate
from slidekit.report.style import BOTTOM, HEIGHT, TOP


def block(height, **options):
    return Block(height, lambda pen, top: None, **options)


BLOCKS = st.builds(
    block, st.floats(1, HEIGHT * 0.9), space=st.floats(0, 40), new_page=st.booleans(), keep_with=st.floats(0, 60)
)


@settings(deadline=None)
@given(st.lists(BLOCKS, max_size=30))
def test_blocks_stand_in_order_inside_the_margins_and_never_overlap(blocks):
    pages = paginate(blocks)

    assert [item.block for page in pages for item in page.placed] == blocks
    for page in pages:
        below = TOP
        for item in page.placed:
            assert item.top <= below + 1e-6
            below = item.top - item.block.height
        assert below >= BOTTOM - 0.02


def test_the_head_of_a_table_is_repeated_on_the_next_page():
    head = block(20)
    rows = [block(HEIGHT / 4, header=head) for _ in range(5)]

    pages = paginate([head, *rows])

    assert [len(page.placed) for page in pages] == [4, 3]
    assert pages[1].placed[0].block is head
    assert pages[1].placed[1].top == TOP - 20


def test_a_heading_is_not_left_alone_at_the_foot():
    pages = paginate([block(HEIGHT - 50), block(20, keep_with=40), block(40)])

    assert [len(page.placed) for page in pages] == [1, 2]


def test_no_blocks_are_one_empty_page():
    assert len(paginate([])) == 1
