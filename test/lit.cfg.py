# Configuration of the lit tests: how they run, and which tools they see.
import os

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "moec"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", ".onnxtxt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.moec_binary_dir, "test")
config.excludes = ["Inputs"]

llvm_config.with_system_environment(["HOME", "TMP", "TEMP"])
config.environment["FILECHECK_OPTS"] = "--enable-var-scope"

# Always the tools of the LLVM the project is built against, never those of PATH.
llvm_config.add_tool_substitutions([ToolSubst("FileCheck"), ToolSubst("not"), ToolSubst("split-file")],
                                   [config.llvm_tools_dir])

# A tool that is not built leaves its tests unsupported.
for tool in ["moe-opt", "moec", "moe-run", "moe-dump", "moe-reference"]:
    if os.path.exists(os.path.join(config.moec_binary_dir, "bin", tool)):
        config.available_features.add(tool)
        llvm_config.add_tool_substitutions([ToolSubst(tool)], [os.path.join(config.moec_binary_dir, "bin")])
config.substitutions.append(("%python", config.python_executable))
