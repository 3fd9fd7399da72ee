from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from data.compiler.prefixes import PrefixTree

SEQUENCES = st.lists(st.lists(st.integers(0, 2), max_size=5).map(tuple), max_size=8)


@given(SEQUENCES)
def test_a_path_spells_its_sequence(sequences: list[tuple[int, ...]]) -> None:
    tree = PrefixTree(sequences)
    assert [tuple(tree.actions[node] for node in path) for path in tree.paths] == sequences


@given(SEQUENCES)
def test_there_is_a_node_for_each_distinct_prefix(sequences: list[tuple[int, ...]]) -> None:
    tree = PrefixTree(sequences)
    distinct = {sequence[:n] for sequence in sequences for n in range(1, len(sequence) + 1)}
    assert sorted(map(tree.prefix, range(len(tree)))) == sorted(distinct)


@given(SEQUENCES)
def test_what_begins_with_a_node_follows_it_at_once(sequences: list[tuple[int, ...]]) -> None:
    tree = PrefixTree(sequences)
    for node in range(len(tree)):
        follows = [tree.prefix(other)[: len(tree.prefix(node))] == tree.prefix(node) for other in range(len(tree))]
        assert follows == sorted(follows[:node]) + sorted(follows[node:], reverse=True)


@given(SEQUENCES, st.sets(st.integers(0, 20)))
def test_ends_take_all_with_them_that_follows(sequences: list[tuple[int, ...]], ends: set[int]) -> None:
    tree = PrefixTree(sequences)
    left = set(tree.without_what_follows(ends))
    for node in range(len(tree)):
        assert (node in left) == (not ends & set(tree.with_ancestors([node])))
