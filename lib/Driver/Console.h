//===- Console.h - what a compilation tells its user ------------------------===//
//
// Prints diagnostics as `moec: error: WHERE: MESSAGE`, counts them, and keeps them apart from the progress line.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_DRIVER_CONSOLE_H
#define MOEC_DRIVER_CONSOLE_H

#include "moec/Driver/Stages.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>

namespace moec {

class Console {
public:
  /// Handles the diagnostics of `context` as long as it lives.
  Console(mlir::MLIRContext *context, llvm::raw_ostream &os, bool showRemarks, bool showProgress);
  Console(const Console &) = delete;
  Console &operator=(const Console &) = delete;

  /// A message that no op or location carries.
  void error(const llvm::Twine &message);
  void warning(const llvm::Twine &message);
  void internalError(const llvm::Twine &message);

  void beginStage(Stage stage);
  void endStage(Stage stage);

  /// While muted, diagnostics are counted but not printed.
  void setMuted(bool muted) { this->muted = muted; }

  unsigned getErrorCount() const { return errorCount; }
  unsigned getWarningCount() const { return warningCount; }
  unsigned getRemarkCount() const { return remarkCount; }
  double getSeconds() const;
  llvm::raw_ostream &stream();

private:
  void handle(mlir::Diagnostic &diagnostic);
  void print(mlir::Location location, llvm::StringRef severity, const llvm::Twine &message);

  llvm::raw_ostream &os;
  bool showRemarks;
  bool showProgress;
  bool muted = false;
  bool lineOpen = false;
  unsigned errorCount = 0, warningCount = 0, remarkCount = 0;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point stageStart;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace moec

#endif // MOEC_DRIVER_CONSOLE_H
