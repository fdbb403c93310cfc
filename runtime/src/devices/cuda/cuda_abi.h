// The part of the CUDA driver's binary interface that is used, from its public documentation. No CUDA header is needed
// to build, and no CUDA library to run on other devices.
#pragma once
#include <cstddef>
#include <cstdint>

namespace moert::cuda {

using Result = int;
using DeviceId = int;
using Address = unsigned long long;

struct ContextObject;
struct ModuleObject;
struct FunctionObject;
struct StreamObject;
struct EventObject;
struct GraphObject;
struct GraphNodeObject;
struct GraphExecObject;
using Context = ContextObject *;
using Module = ModuleObject *;
using Function = FunctionObject *;
using Stream = StreamObject *;
using Event = EventObject *;
using Graph = GraphObject *;
using GraphNode = GraphNodeObject *;
using GraphExec = GraphExecObject *;

enum : Result {
  success = 0,
  errorInvalidValue = 1,
  errorOutOfMemory = 2,
  errorNoDevice = 100,
  errorInvalidDevice = 101,
  errorInvalidImage = 200,
  errorInvalidContext = 201,
  errorNoBinaryForGpu = 209,
  errorInvalidPtx = 218,
  errorNotFound = 500,
  errorIllegalAddress = 700,
  errorLaunchOutOfResources = 701,
  errorLaunchFailed = 719,
  errorCooperativeTooLarge = 720,
};

enum : int {
  attributeMultiprocessors = 16,
  attributeCapabilityMajor = 75,
  attributeCapabilityMinor = 76,
  attributeSharedBytesOptIn = 97,
  attributeMemoryPools = 115,
};
enum : int { functionAttributeDynamicSharedBytes = 8 };
enum : int { jitErrorLogBuffer = 5, jitErrorLogBytes = 6 };
enum : unsigned { streamNonBlocking = 1 };
enum : int { memoryHost = 1, memoryDevice = 2 };

struct Copy2D {
  size_t sourceX, sourceY;
  int sourceType;
  const void *sourceHost;
  Address sourceDevice;
  void *sourceArray;
  size_t sourcePitch;
  size_t targetX, targetY;
  int targetType;
  void *targetHost;
  Address targetDevice;
  void *targetArray;
  size_t targetPitch;
  size_t width, height;
};

struct KernelNode {
  Function function;
  unsigned gridX, gridY, gridZ;
  unsigned blockX, blockY, blockZ;
  unsigned sharedBytes;
  void **parameters;
  void **extra;
};

} // namespace moert::cuda
