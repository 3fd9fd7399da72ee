"""What a program looks like in counts: InstCount and Autophase (docs/papers/pass_order.md#2.3)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from data.compiler.base import CountKind
from data.compiler.listing import CONSTANT, NEITHER, Listing

_NAMES = (
    "Ret Br Switch IndirectBr Invoke Resume Unreachable CleanupRet CatchRet CatchSwitch CallBr FNeg Add FAdd Sub FSub Mul "
    "FMul UDiv SDiv FDiv URem SRem FRem Shl LShr AShr And Or Xor Alloca Load Store GetElementPtr Fence AtomicCmpXchg "
    "AtomicRMW Trunc ZExt SExt FPToUI FPToSI UIToFP SIToFP FPTrunc FPExt PtrToInt IntToPtr BitCast AddrSpaceCast "
    "CleanupPad CatchPad ICmp FCmp PHI Call Select UserOp1 UserOp2 VAArg ExtractElement InsertElement ShuffleVector "
    "ExtractValue InsertValue LandingPad Freeze"
)
_OPCODES = _NAMES.split()
_PRINTED = {"AtomicCmpXchg": "cmpxchg", "VAArg": "va_arg"}  # the others are lower case

INST_COUNT = ("TotalInsts", "TotalBlocks", "TotalFuncs", *_OPCODES)
"""Names of the 70 counts of InstCount."""
_AUTOPHASE_NAMES = (
    "BBNumArgsHi BBNumArgsLo onePred onePredOneSuc onePredTwoSuc oneSuccessor twoPred twoPredOneSuc twoEach "
    "twoSuccessor morePreds BB03Phi BBHiPhi BBNoPhi BeginPhi BranchCount returnInt CriticalCount NumEdges const32Bit "
    "const64Bit numConstZeroes numConstOnes UncondBranches binaryConstArg NumAShrInst NumAddInst NumAllocaInst "
    "NumAndInst BlockMid BlockLow NumBitCastInst NumBrInst NumCallInst NumGetElementPtrInst NumICmpInst NumLShrInst "
    "NumLoadInst NumMulInst NumOrInst NumPHIInst NumRetInst NumSExtInst NumSelectInst NumShlInst NumStoreInst "
    "NumSubInst NumTruncInst NumXorInst NumZExtInst TotalBlocks TotalInsts TotalMemInst TotalFuncs ArgsPhi testUnary"
)
AUTOPHASE = tuple(_AUTOPHASE_NAMES.split())
"""Names of the 56 counts of Autophase."""
TOTAL = AUTOPHASE.index("TotalInsts")
COUNTS: dict[CountKind, tuple[str, ...]] = {"autophase": AUTOPHASE, "inst_count": INST_COUNT}
"""Names of the counts of each kind."""

_BINARY = ["add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "shl", "lshr", "ashr", "and", "or", "xor"]
_BINARY += ["fadd", "fsub", "fmul", "fdiv", "frem"]
_CASTS = ["trunc", "zext", "sext", "fptoui", "fptosi", "uitofp", "sitofp", "fptrunc", "fpext"]
_CASTS += ["ptrtoint", "ptrtoaddr", "inttoptr", "bitcast", "addrspacecast"]
_UNARY = ["alloca", "load", "fneg", "va_arg", "extractvalue", "freeze", *_CASTS]
_MEMORY = ["getelementptr", "load", "store", "call", "invoke", "alloca"]
_SHORT, _LONG = 15, 500
_FEW_PHIS, _FEW_ARGUMENTS = 3, 5


def counts_of(module: Listing, kind: CountKind) -> Int[np.ndarray, " counts"]:
    """Counts of a kind."""
    return inst_count(module) if kind == "inst_count" else autophase(module)


def inst_count(module: Listing) -> Int[np.ndarray, " counts"]:
    """Instructions, blocks, functions, and instructions of each opcode."""
    found = dict(zip(module.opcodes.tolist(), np.bincount(module.opcode, minlength=len(module.opcodes)), strict=True))
    opcodes = [found.get(_PRINTED.get(name, name.lower()), 0) for name in _OPCODES]
    return np.array([len(module.block), len(module.block_function), len(module.declared), *opcodes], np.int64)


def autophase(module: Listing) -> Int[np.ndarray, " counts"]:
    """Shapes of blocks, constants, and some opcodes.

    References
    ----------
    Haj-Ali et al., AutoPhase: juggling HLS phase orderings in random forests with deep reinforcement learning, MLSys 2020.
    """
    opcodes = dict(zip(INST_COUNT, inst_count(module).tolist(), strict=True))
    found = _blocks(module) | _operands(module)
    for name in AUTOPHASE:
        if name.startswith("Num") and name.endswith("Inst"):
            found[name] = opcodes[name[3:-4]]
    found |= {name: opcodes[name] for name in ("TotalBlocks", "TotalInsts", "TotalFuncs")}
    found["TotalMemInst"] = int(module.opcode_is(*_MEMORY).sum())
    found["testUnary"] = int(module.opcode_is(*_UNARY).sum())
    return np.array([found[name] for name in AUTOPHASE], np.int64)


def _blocks(module: Listing) -> dict[str, int]:
    count = len(module.block_function)
    out = np.bincount(module.block[module.terminator], minlength=count)
    into = np.bincount(module.successor, minlength=count)
    length = np.bincount(module.block, minlength=count)
    is_phi = module.opcode_is("phi")
    phis = np.bincount(module.block[is_phi], minlength=count)
    incoming = np.bincount(module.user, minlength=len(module.block)) * is_phi
    arguments = np.bincount(module.block, incoming, minlength=count)
    branch_successors = np.bincount(module.terminator, minlength=len(module.block))[module.opcode_is("br")]
    several = out[module.block[module.terminator]] > 1
    return {
        "BBNumArgsHi": int((arguments > _FEW_ARGUMENTS).sum()),
        "BBNumArgsLo": int(((arguments >= 1) & (arguments <= _FEW_ARGUMENTS)).sum()),
        "onePred": int((into == 1).sum()),
        "onePredOneSuc": int(((into == 1) & (out == 1)).sum()),
        "onePredTwoSuc": int(((into == 1) & (out == 2)).sum()),
        "oneSuccessor": int((out == 1).sum()),
        "twoPred": int((into == 2).sum()),
        "twoPredOneSuc": int(((into == 2) & (out == 1)).sum()),
        "twoEach": int(((into == 2) & (out == 2)).sum()),
        "twoSuccessor": int((out == 2).sum()),
        "morePreds": int((into > 2).sum()),
        "BB03Phi": int(((phis >= 1) & (phis <= _FEW_PHIS)).sum()),
        "BBHiPhi": int((phis > _FEW_PHIS).sum()),
        "BBNoPhi": int((phis == 0).sum()),
        "BeginPhi": int((phis >= 1).sum()),
        "BranchCount": len(branch_successors),
        "UncondBranches": int((branch_successors == 1).sum()),
        "CriticalCount": int((several & (into[module.successor] > 1)).sum()),
        "NumEdges": len(module.terminator),
        "BlockMid": int(((length >= _SHORT) & (length <= _LONG)).sum()),
        "BlockLow": int((length < _SHORT).sum()),
        "ArgsPhi": int(incoming.sum()),
    }


def _operands(module: Listing) -> dict[str, int]:
    constant = module.origin == CONSTANT
    bits, value = (column[module.source[constant]] for column in (module.bits, module.value))
    of_binary = constant & module.opcode_is(*_BINARY)[module.user]
    callee = module.callee[module.opcode_is("call") & (module.callee != NEITHER)]
    return {
        "const32Bit": int((bits == 32).sum()),
        "const64Bit": int((bits == 64).sum()),
        "numConstZeroes": int((value == 0).sum()),
        "numConstOnes": int((value == 1).sum()),
        "binaryConstArg": len(np.unique(module.user[of_binary])),
        "returnInt": int(module.returns_integer[callee].sum()),
    }
