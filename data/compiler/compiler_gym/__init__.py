"""The paper's own compiler: LLVM 10, through the service that lies in CompilerGym's wheel."""
