// The tool moe-dump.
#pragma once

namespace moert::tools {

// Returns the exit status.
int moeDumpMain(int argc, char **argv);

} // namespace moert::tools
