// Loading of libcuda.
#include "devices/cuda/driver.h"

#include <dlfcn.h>
#include <memory>
#include <mutex>

namespace moert::cuda {

Status Driver::check(Result result, std::string_view what) const {
  if (result == success)
    return Status::success();
  const char *text = nullptr;
  const bool isKnown = getErrorString && getErrorString(result, &text) == success && text;
  return failure(result == errorOutOfMemory ? MOERT_OUT_OF_MEMORY : MOERT_RUN_FAILED, what, ": ",
                 isKnown ? text : "unknown error", " (CUDA error ", result, ")");
}

Status loadDriver(FindSymbol find, Driver &driver) {
  constexpr int oldestVersion = 11000; // the first that knows compute capability 8.0
#define MOERT_CUDA_FIND(member, name, isRequired, ...)                                                                 \
  driver.member = reinterpret_cast<decltype(driver.member)>(find(name));                                               \
  if (isRequired && !driver.member)                                                                                    \
    return failure(MOERT_UNSUPPORTED, "the CUDA driver has no ", name);
  MOERT_CUDA_SYMBOLS(MOERT_CUDA_FIND)
#undef MOERT_CUDA_FIND
  int version = 0;
  MOERT_TRY(driver.check(driver.driverGetVersion(&version), "version of the CUDA driver"));
  if (version < oldestVersion)
    return failure(MOERT_UNSUPPORTED, "the CUDA driver is for CUDA ", version / 1000, ".", version % 1000 / 10,
                   ", expected at least ", oldestVersion / 1000, ".", oldestVersion % 1000 / 10);
  const Status initialised = driver.check(driver.init(0), "the CUDA driver cannot be initialised");
  return initialised.ok() ? Status::success() : failure(MOERT_UNSUPPORTED, initialised.getMessage());
}

static void *findInSystem(const char *name) {
  // Stays loaded: the driver does not support being unloaded.
  static void *const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  return library ? dlsym(library, name) : nullptr;
}

static std::mutex mutex;
static FindSymbol replacement = nullptr;
static std::unique_ptr<const Driver> loaded;

Status getDriver(const Driver *&driver) {
  const std::lock_guard lock(mutex);
  if (!loaded) {
    if (!replacement && !findInSystem("cuInit"))
      return failure(MOERT_UNSUPPORTED, "there is no CUDA driver (libcuda.so.1) on this system");
    auto table = std::make_unique<Driver>();
    MOERT_TRY(loadDriver(replacement ? replacement : findInSystem, *table));
    loaded = std::move(table);
  }
  driver = loaded.get();
  return Status::success();
}

void replaceDriver(FindSymbol find) {
  const std::lock_guard lock(mutex);
  replacement = find;
  loaded.reset();
}

} // namespace moert::cuda
