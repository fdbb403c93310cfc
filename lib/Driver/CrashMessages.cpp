//===- CrashMessages.cpp - crashes as one line and exit code 70 -------------===//
#include "moec/Driver/CrashMessages.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>
#include <exception>
#include <unistd.h>

using namespace llvm;

static bool showStack = false;

static void writeText(const char *text) {
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0)
    return;
}

[[noreturn]] static void endProcess(const char *reason) {
  writeText("moec: internal error: ");
  writeText(reason);
  writeText("\n");
  if (showStack)
    sys::PrintStackTrace(errs());
  sys::RunInterruptHandlers();
  _exit(moec::internalErrorExitCode);
}

void moec::installCrashMessages(bool withStack) {
  showStack = withStack;
  install_fatal_error_handler([](void *, const char *reason, bool) { endProcess(reason); });
  install_bad_alloc_error_handler([](void *, const char *, bool) { endProcess("out of memory"); });
  std::set_terminate([] { endProcess("an exception was not caught"); });
  sys::AddSignalHandler([](void *) { endProcess("the compiler crashed"); }, nullptr);
}
