// A CUDA driver for tests: its GPU is the emulated one. It checks how it is called, and calls can be made to fail.
#pragma once
#include "devices/cuda/driver.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace moert::test {

class FakeCuda {
public:
  // The driver of all sessions while the object exists; one at a time.
  FakeCuda();
  ~FakeCuda();

  int devices = 1, version = 12040, capability = 80;
  bool hasPools = true;
  std::set<std::string> missing; // symbols
  // The next calls of a symbol that succeed, and what the one behind them returns.
  void fail(const std::string &symbol, cuda::Result result, int successes = 0) {
    failures[symbol] = {successes, result};
  }

  // How often a symbol was called.
  int count(const std::string &symbol) const;
  // What was made and not given back: contexts, modules, memory, streams, events, graphs.
  std::vector<std::string> getLeaks() const;

private:
  friend struct FakeCalls;
  struct Failure {
    int successes;
    cuda::Result result;
  };

  std::map<std::string, Failure> failures;
  std::map<std::string, int> calls;
  std::map<std::string, int> live; // objects by kind
};

} // namespace moert::test
