// Whatever ends the compiler, its user sees one line and exit code 70.
#include "moec/Driver/CrashMessages.h"

#include "llvm/Support/ErrorHandling.h"

#include "gtest/gtest.h"

#include <csignal>
#include <exception>

using namespace moec;

namespace {

TEST(CrashMessagesDeathTest, FatalErrorsSayTheirReason) {
  auto fail = [] {
    installCrashMessages(/*showStack=*/false);
    llvm::report_fatal_error("cannot select this");
  };
  EXPECT_EXIT(fail(), testing::ExitedWithCode(internalErrorExitCode), "^moec: internal error: cannot select this\n$");
}

TEST(CrashMessagesDeathTest, SignalsLeaveNoStackDump) {
  auto fail = [] {
    installCrashMessages(/*showStack=*/false);
    std::raise(SIGSEGV);
  };
  EXPECT_EXIT(fail(), testing::ExitedWithCode(internalErrorExitCode), "^moec: internal error: the compiler crashed\n$");
}

TEST(CrashMessagesDeathTest, TerminationIsReported) {
  auto fail = [] {
    installCrashMessages(/*showStack=*/false);
    std::terminate();
  };
  EXPECT_EXIT(fail(), testing::ExitedWithCode(internalErrorExitCode), "^moec: internal error: an exception");
}

TEST(CrashMessagesDeathTest, StacksAreShownOnRequest) {
  auto fail = [] {
    installCrashMessages(/*showStack=*/true);
    std::raise(SIGSEGV);
  };
  // The frames are numbered with or without a #, as LLVM's symbolizer is there or not.
  EXPECT_EXIT(fail(), testing::ExitedWithCode(internalErrorExitCode),
              "the compiler crashed\n(Stack dump without symbol names[^\n]*\n)? *#?0 ");
}

} // namespace
