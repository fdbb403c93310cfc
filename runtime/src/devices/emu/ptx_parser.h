// PTX text -> its syntax. Directives that are not understood are refused with their line.
#pragma once
#include "devices/emu/ptx_syntax.h"
#include "status.h"

namespace moert::emu {

// `text` must outlive the syntax.
Status parsePtx(std::string_view text, ModuleSyntax &module);

} // namespace moert::emu
