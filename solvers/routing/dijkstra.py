"""Dijkstra's algorithm with a binary heap, compiled; labels are (cost, edges, node), so that ties are broken alike."""

from __future__ import annotations

import numba
import numpy as np
from jaxtyping import Float, Int, UInt8


@numba.njit(cache=True)
def shortest_paths(
    costs: Float[np.ndarray, "batch edges"],
    starts: Int[np.ndarray, " nodes_and_one"],
    heads: Int[np.ndarray, " arcs"],
    edges: Int[np.ndarray, " arcs"],
    source: int,
    target: int,
) -> UInt8[np.ndarray, "batch edges"]:
    """The edges of the cheapest path for each row of costs, none of which is negative; the target can be reached.

    Of paths of the same cost that with the fewest edges, and of these the one that, from the target back, takes the lowest
    edge each time.
    """
    nodes, arcs = len(starts) - 1, len(heads)
    chosen = np.zeros(costs.shape, np.uint8)
    cost, hops = np.empty(nodes), np.empty(nodes, np.int64)
    heap_cost, heap_hops, heap_node = np.empty(arcs + 1), np.empty(arcs + 1, np.int64), np.empty(arcs + 1, np.int64)
    settled = np.empty(nodes, np.bool_)
    for row in range(len(costs)):
        cost[:], hops[:], settled[:] = np.inf, nodes, False
        cost[source], hops[source] = 0.0, 0
        heap_cost[0], heap_hops[0], heap_node[0] = 0.0, 0, source
        size = 1
        while size > 0:
            here = heap_node[0]
            size -= 1
            last_cost, last_hops, last_node = heap_cost[size], heap_hops[size], heap_node[size]
            place = 0
            while True:  # sift down
                child = 2 * place + 1
                if child >= size:
                    break
                right = child + 1
                if right < size and (
                    heap_cost[right] < heap_cost[child]
                    or (heap_cost[right] == heap_cost[child] and heap_hops[right] < heap_hops[child])
                ):
                    child = right
                if last_cost < heap_cost[child] or (last_cost == heap_cost[child] and last_hops <= heap_hops[child]):
                    break
                heap_cost[place], heap_hops[place], heap_node[place] = (
                    heap_cost[child],
                    heap_hops[child],
                    heap_node[child],
                )
                place = child
            heap_cost[place], heap_hops[place], heap_node[place] = last_cost, last_hops, last_node
            if settled[here]:
                continue
            settled[here] = True
            if here == target:
                break
            for arc in range(starts[here], starts[here + 1]):
                there = heads[arc]
                if settled[there]:
                    continue
                along, steps = cost[here] + costs[row, edges[arc]], hops[here] + 1
                if along < cost[there] or (along == cost[there] and steps < hops[there]):
                    cost[there], hops[there] = along, steps
                    place = size
                    size += 1
                    while place > 0:  # sift up
                        parent = (place - 1) // 2
                        if heap_cost[parent] < along or (heap_cost[parent] == along and heap_hops[parent] <= steps):
                            break
                        heap_cost[place] = heap_cost[parent]
                        heap_hops[place] = heap_hops[parent]
                        heap_node[place] = heap_node[parent]
                        place = parent
                    heap_cost[place], heap_hops[place], heap_node[place] = along, steps, there
        node = target
        while node != source:
            for arc in range(starts[node], starts[node + 1]):  # by ascending edge
                before = heads[arc]
                if (
                    settled[before]
                    and hops[before] + 1 == hops[node]
                    and cost[before] + costs[row, edges[arc]] == cost[node]
                ):
                    chosen[row, edges[arc]] = 1
                    node = before
                    break
    return chosen
