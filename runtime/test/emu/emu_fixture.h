// Kernels of a few lines for the tests of the emulated GPU.
#pragma once
#include "devices/emu/emulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace moert::emu {

// A kernel `k` whose parameters are one pointer for each of `parameters`, loaded to %in0, %in1, ...; also declared:
// %p<8>, %h<16> (16 bits), %r<32>, %d<32> (64 bits), and %r0 = %tid.x. The first line of `body` is line `bodyLine`.
constexpr uint32_t bodyLine = 10;
inline std::string makeKernel(std::string_view body, int parameters, std::string_view variables = "") {
  std::string names, loads;
  for (int i = 0; i < parameters; ++i) {
    const std::string name = "k_param_" + std::to_string(i);
    names += (i ? ", .param .u64 " : ".param .u64 ") + name;
    loads += " ld.param.b64 %in" + std::to_string(i) + ", [" + name + "];";
  }
  return ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k(" + names + ")\n{\n" +
         ".reg .pred %p<8>; .reg .b16 %h<16>; .reg .b32 %r<32>;\n.reg .b64 %d<32>; .reg .b64 %in<8>;\n" +
         std::string(variables) + "\n mov.u32 %r0, %tid.x;" + loads + "\n" + std::string(body) + "\nret;\n}\n";
}

class EmuTest : public ::testing::Test {
protected:
  template <typename T> uint64_t upload(const std::vector<T> &values) {
    const uint64_t address = emulator.getMemory().allocate(values.size() * sizeof(T));
    EXPECT_TRUE(emulator.getMemory().write(address, std::as_bytes(std::span(values))).ok());
    return address;
  }
  template <typename T> uint64_t allocate(size_t count) { return emulator.getMemory().allocate(count * sizeof(T)); }
  template <typename T> std::vector<T> download(uint64_t address, size_t count) {
    std::vector<T> values(count);
    const Status status = emulator.getMemory().read(address, std::as_writable_bytes(std::span(values)));
    EXPECT_TRUE(status.ok()) << status.getMessage();
    return values;
  }

  // Launches kernel `k` with pointers as arguments.
  Status launch(std::string_view ptx, const std::vector<uint64_t> &pointers, const LaunchShape &shape = {{}, {32}, 0},
                const LaunchOptions &options = {}) {
    Module module;
    MOERT_TRY(Module::load(ptx, module, &emulator.getMemory()));
    const Kernel *kernel = module.findKernel("k");
    EXPECT_NE(kernel, nullptr);
    std::vector<const void *> arguments;
    for (const uint64_t &pointer : pointers)
      arguments.push_back(&pointer);
    return emulator.launch(*kernel, shape, arguments, options, report);
  }

  Emulator emulator;
  LaunchReport report;
};

// Values that find mistakes at the edges, then random bits.
template <typename T> std::vector<T> makeValues(uint32_t seed) {
  std::vector<T> values;
  if constexpr (std::is_floating_point_v<T>)
    values = {0,
              T(-0.0),
              1,
              -1,
              T(0.5),
              T(1e30),
              T(-1e30),
              std::numeric_limits<T>::infinity(),
              std::numeric_limits<T>::quiet_NaN(),
              std::numeric_limits<T>::min(),
              -std::numeric_limits<T>::min() / 4,
              std::numeric_limits<T>::denorm_min(),
              T(3.5),
              T(-2.5)};
  else
    values = {0, 1, static_cast<T>(-1), std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), 2, 3, 31, 32, 64};
  std::mt19937_64 random(seed);
  while (values.size() < warpSize) {
    if constexpr (std::is_floating_point_v<T>)
      values.push_back(static_cast<T>(static_cast<double>(static_cast<int64_t>(random())) / 1e15));
    else
      values.push_back(static_cast<T>(random() >> random() % 64));
  }
  std::shuffle(values.begin(), values.end(), random);
  return values;
}

// Equal bits, or both NaN.
template <typename T> bool isSame(T a, T b) { return (a != a && b != b) || std::memcmp(&a, &b, sizeof(T)) == 0; }

} // namespace moert::emu
