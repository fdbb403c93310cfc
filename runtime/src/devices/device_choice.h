// The devices by their names: "cpu", "emu:sm_80", "cuda", "cuda:1".
#pragma once
#include "devices/device.h"
#include "session/program.h"

namespace moert {

// A device of that name, ready to run the program; null means the CPU.
Status createDevice(const char *name, std::shared_ptr<const Program> program, const moert_session_options_t &options,
                    std::unique_ptr<Device> &device);

} // namespace moert
