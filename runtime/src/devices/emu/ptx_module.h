// A PTX module ready to run: instructions decoded, registers and variables placed, reconvergence points known.
#pragma once
#include "devices/emu/instruction.h"
#include "devices/emu/source_map.h"
#include "status.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moert::emu {

enum class SpecialRegister : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  Laneid,
  Warpid,
  Nwarpid,
  LanemaskEq,
  LanemaskLe,
  LanemaskLt,
  LanemaskGe,
  LanemaskGt,
  Smid,
  Nsmid,
  Gridid,
  DynamicSharedBytes,
  TotalSharedBytes
};

// A register that is filled when a warp starts.
struct ConstantRegister {
  enum class Kind : uint8_t { Bits, Special };
  Kind kind;
  SpecialRegister special;
  uint8_t bytes; // of a lane; 0 for a predicate
  Slot slot;
  uint64_t bits;
};

struct KernelParameter {
  std::string name;
  uint32_t offset, bytes;
};

struct Kernel {
  std::string name;
  std::vector<Instruction> code;
  uint32_t registerCount = 0;
  std::vector<ConstantRegister> constants;
  std::vector<KernelParameter> parameters;
  uint32_t parameterBytes = 0;
  uint64_t sharedBytes = 0;                              // without what the launch adds at its end
  uint64_t localBytes = 0;                               // of a lane
  std::array<uint32_t, 3> maxThreads = {}, threads = {}; // zeros if not given

  // How people find an instruction: "line 12", and the line of the source if the PTX says it.
  std::string describeLine(uint32_t line) const { return sources->describe(line); }
  std::shared_ptr<const SourceMap> sources;
};

class GlobalMemory;

class Module {
public:
  // Refuses what is not understood, with its line. Variables in global and constant memory are placed in `memory` and
  // stay there; a module without any needs none.
  static Status load(std::string_view ptx, Module &module, GlobalMemory *memory = nullptr);

  // Null if there is none of this name.
  const Kernel *findKernel(std::string_view name) const;

private:
  std::vector<Kernel> kernels;
};

} // namespace moert::emu
