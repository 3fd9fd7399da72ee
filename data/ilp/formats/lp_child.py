"""Child process of :mod:`data.ilp.formats.lp_file`: HiGHS reads one LP file under limits and leaves its arrays as npz.

Run as ``python lp_child.py LP NPZ``; imports nothing of ours, so it starts fast.
"""

import sys

import highspy
import numpy as np


def main(source: str, target: str) -> None:
    highs = highspy.Highs()
    status = highs.readModel(source)
    model = highs.getModel()
    lp = model.lp_
    np.savez(
        target,
        status="ok" if status == highspy.HighsStatus.kOk else "not ok",
        quadratic=model.hessian_.dim_ > 0,
        types=np.array([int(kind) for kind in lp.integrality_], np.int64),
        c=np.array(lp.col_cost_, np.float64),
        starts=np.array(lp.a_matrix_.start_, np.int64),
        indices=np.array(lp.a_matrix_.index_, np.int64),
        values=np.array(lp.a_matrix_.value_, np.float64),
        row_lo=np.array(lp.row_lower_, np.float64),
        row_hi=np.array(lp.row_upper_, np.float64),
        lb=np.array(lp.col_lower_, np.float64),
        ub=np.array(lp.col_upper_, np.float64),
        maximize=lp.sense_ == highspy.ObjSense.kMaximize,
        offset=float(lp.offset_),
        var_names=np.array(list(lp.col_names_), np.str_),
        row_names=np.array(list(lp.row_names_), np.str_),
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
