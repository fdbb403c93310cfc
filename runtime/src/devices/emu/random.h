// Seeded random numbers for orders that the hardware does not promise.
#pragma once
#include <cstdint>

namespace moert::emu {

// Splitmix64. Seed 0 stands for no randomness: every choice is the first one.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed), isRandom(seed != 0) {}
  // A seed of its own for each of several streams.
  static uint64_t mix(uint64_t seed, uint64_t stream) {
    return seed ? Random(seed ^ (stream + 1) * 0xd1342543de82ef95).next() | 1 : 0;
  }

  explicit operator bool() const { return isRandom; }
  uint64_t next() {
    state += 0x9e3779b97f4a7c15;
    uint64_t mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }
  // Below `count`, which is not 0.
  uint64_t below(uint64_t count) { return isRandom ? next() % count : 0; }

private:
  uint64_t state;
  bool isRandom;
};

} // namespace moert::emu
