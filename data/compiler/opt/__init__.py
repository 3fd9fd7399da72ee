"""Any ``opt`` of LLVM 19 or newer as a compiler."""
