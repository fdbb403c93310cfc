//===- CrashMessages.h - crashes as one line and exit code 70 ---------------===//
#ifndef MOEC_DRIVER_CRASHMESSAGES_H
#define MOEC_DRIVER_CRASHMESSAGES_H

namespace moec {

/// The exit code of a compiler that broke its own contracts (EX_SOFTWARE).
inline constexpr int internalErrorExitCode = 70;

/// Makes fatal errors of LLVM, crash signals, uncaught exceptions and lack of memory end the process with one line
/// `moec: internal error: …` and internalErrorExitCode, and removes unfinished output. With `showStack` the line is
/// followed by a stack trace. For programs, not for libraries: it takes over signal handlers.
void installCrashMessages(bool showStack);

} // namespace moec

#endif // MOEC_DRIVER_CRASHMESSAGES_H
