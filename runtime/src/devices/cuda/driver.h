// The CUDA driver, loaded when a session first asks for a CUDA device. All calls go through the table in this file.
#pragma once
#include "devices/cuda/cuda_abi.h"
#include "status.h"

namespace moert::cuda {

// name in the table, name of the symbol, whether the driver must have it, parameters
#define MOERT_CUDA_SYMBOLS(SYMBOL)                                                                                     \
  SYMBOL(init, "cuInit", true, unsigned)                                                                               \
  SYMBOL(driverGetVersion, "cuDriverGetVersion", true, int *)                                                          \
  SYMBOL(getErrorString, "cuGetErrorString", true, Result, const char **)                                              \
  SYMBOL(deviceGetCount, "cuDeviceGetCount", true, int *)                                                              \
  SYMBOL(deviceGet, "cuDeviceGet", true, DeviceId *, int)                                                              \
  SYMBOL(deviceGetAttribute, "cuDeviceGetAttribute", true, int *, int, DeviceId)                                       \
  SYMBOL(primaryContextRetain, "cuDevicePrimaryCtxRetain", true, Context *, DeviceId)                                  \
  SYMBOL(primaryContextRelease, "cuDevicePrimaryCtxRelease_v2", true, DeviceId)                                        \
  SYMBOL(contextPush, "cuCtxPushCurrent_v2", true, Context)                                                            \
  SYMBOL(contextPop, "cuCtxPopCurrent_v2", true, Context *)                                                            \
  SYMBOL(streamCreate, "cuStreamCreate", true, Stream *, unsigned)                                                     \
  SYMBOL(streamDestroy, "cuStreamDestroy_v2", true, Stream)                                                            \
  SYMBOL(streamSynchronize, "cuStreamSynchronize", true, Stream)                                                       \
  SYMBOL(eventCreate, "cuEventCreate", true, Event *, unsigned)                                                        \
  SYMBOL(eventDestroy, "cuEventDestroy_v2", true, Event)                                                               \
  SYMBOL(eventRecord, "cuEventRecord", true, Event, Stream)                                                            \
  SYMBOL(eventElapsedTime, "cuEventElapsedTime", true, float *, Event, Event)                                          \
  SYMBOL(moduleLoadDataEx, "cuModuleLoadDataEx", true, Module *, const void *, unsigned, int *, void **)               \
  SYMBOL(moduleUnload, "cuModuleUnload", true, Module)                                                                 \
  SYMBOL(moduleGetFunction, "cuModuleGetFunction", true, Function *, Module, const char *)                             \
  SYMBOL(functionSetAttribute, "cuFuncSetAttribute", true, Function, int, int)                                         \
  SYMBOL(memAlloc, "cuMemAlloc_v2", true, Address *, size_t)                                                           \
  SYMBOL(memFree, "cuMemFree_v2", true, Address)                                                                       \
  SYMBOL(memcpyUpload, "cuMemcpyHtoDAsync_v2", true, Address, const void *, size_t, Stream)                            \
  SYMBOL(memcpyDownload, "cuMemcpyDtoHAsync_v2", true, void *, Address, size_t, Stream)                                \
  SYMBOL(memcpyInside, "cuMemcpyDtoDAsync_v2", true, Address, Address, size_t, Stream)                                 \
  SYMBOL(memcpy2D, "cuMemcpy2DAsync_v2", true, const Copy2D *, Stream)                                                 \
  SYMBOL(memset, "cuMemsetD8Async", true, Address, unsigned char, size_t, Stream)                                      \
  SYMBOL(launchKernel, "cuLaunchKernel", true, Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,   \
         unsigned, Stream, void **, void **)                                                                           \
  SYMBOL(launchCooperative, "cuLaunchCooperativeKernel", true, Function, unsigned, unsigned, unsigned, unsigned,       \
         unsigned, unsigned, unsigned, Stream, void **)                                                                \
  SYMBOL(memAllocAsync, "cuMemAllocAsync", false, Address *, size_t, Stream)                                           \
  SYMBOL(memFreeAsync, "cuMemFreeAsync", false, Address, Stream)                                                       \
  SYMBOL(graphCreate, "cuGraphCreate", false, Graph *, unsigned)                                                       \
  SYMBOL(graphAddKernel, "cuGraphAddKernelNode", false, GraphNode *, Graph, const GraphNode *, size_t,                 \
         const KernelNode *)                                                                                           \
  SYMBOL(graphInstantiate, "cuGraphInstantiateWithFlags", false, GraphExec *, Graph, unsigned long long)               \
  SYMBOL(graphSetKernel, "cuGraphExecKernelNodeSetParams", false, GraphExec, GraphNode, const KernelNode *)            \
  SYMBOL(graphLaunch, "cuGraphLaunch", false, GraphExec, Stream)                                                       \
  SYMBOL(graphExecDestroy, "cuGraphExecDestroy", false, GraphExec)                                                     \
  SYMBOL(graphDestroy, "cuGraphDestroy", false, Graph)

struct Driver {
#define MOERT_CUDA_MEMBER(member, name, isRequired, ...) Result (*member)(__VA_ARGS__) = nullptr;
  MOERT_CUDA_SYMBOLS(MOERT_CUDA_MEMBER)
#undef MOERT_CUDA_MEMBER

  bool hasPools() const { return memAllocAsync && memFreeAsync; }
  bool hasGraphs() const {
    return graphCreate && graphAddKernel && graphInstantiate && graphSetKernel && graphLaunch && graphExecDestroy &&
           graphDestroy;
  }

  // Success, or `what` with the driver's words for the result.
  Status check(Result result, std::string_view what) const;
};

// How the address of a symbol is found; null where there is none.
using FindSymbol = void *(*)(const char *name);

// Fills the table and initialises the driver. Fails if a symbol that must be there is not, or the driver is too old.
Status loadDriver(FindSymbol find, Driver &driver);

// The driver of this system, loaded once. A failure is not kept: the next call tries again.
Status getDriver(const Driver *&driver);

// For tests: from now on getDriver loads with `find`, or from the system if that is null.
void replaceDriver(FindSymbol find);

} // namespace moert::cuda
