// Static checks of a step program, done once when a file is opened: they make it safe to interpret.
#pragma once
#include "artifact/artifact.h"

namespace moert {

// Checks opcodes, word counts, ranges of registers, slots, kernels, strings and tables, element types, jump targets,
// and that no step fills or writes a slot of an input or a weight.
Status checkStepProgram(const Artifact &artifact);

} // namespace moert
