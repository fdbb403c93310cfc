// Watches the instructions of the blocks on one host thread: counts them and looks for races.
#pragma once
#include "devices/emu/copies.h"
#include "devices/emu/launch.h"
#include "devices/emu/order.h"
#include "devices/emu/traffic.h"

namespace moert::emu {

class Observer {
public:
  Observer(const Launch &launch, LaunchThread &thread) : launch(launch), thread(thread) {}

  // Around each instruction.
  void begin() { thread.log.clear(); }
  void finish(Warp &warp, const Instruction &instruction);
  // A copy is waited for; from now on its target counts as written.
  void onCopyAwaited(Warp &warp, const AsyncCopy &copy);

  DeviceOrder &getDeviceOrder() { return device; }
  void addTo(LaunchCounters &counters) const { counters += counted; }
  const SectorSet &getSectors() const { return sectors; }
  // Races between blocks that ran here and blocks that ran elsewhere.
  Status compare(const Observer &other) const;

private:
  void countAccesses(const Instruction &instruction);
  void count(SpaceCounters &space, const Instruction &instruction, Space which);
  void countGlobal(const Instruction &instruction);
  void checkOrder(Warp &warp, const Instruction &instruction);
  bool checkRuns(Warp &warp, const Instruction &instruction, const AccessRuns &runs, bool isShared, bool isWrite);
  bool checkSpan(Warp &warp, const Instruction &instruction, const AccessSpan &span, uint32_t lane, uint32_t laneShift,
                 bool isShared, bool isWrite);
  bool overwritesBarrier(Warp &warp, const Instruction &instruction, const AccessRun &run, bool isWrite);
  void handOver(Warp &warp, const Instruction &instruction, bool isShared);
  void report(Warp &warp, const Instruction &instruction, bool isShared, bool isWrite, const Conflict &conflict);
  std::string describe(const PastAccess &access) const;

  const Launch &launch;
  LaunchThread &thread;
  LaunchCounters counted;
  SectorSet sectors;
  DeviceOrder device;
};

} // namespace moert::emu
