// Where the lanes that a branch has parted meet again.
#pragma once
#include "devices/emu/instruction.h"

#include <vector>

namespace moert::emu {

// Gives every branch its immediate post-dominator: the first instruction that all ways from it lead through which do
// not end the lane before.
void findReconvergence(std::vector<Instruction> &code);

} // namespace moert::emu
