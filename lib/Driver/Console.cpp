//===- Console.cpp - what a compilation tells its user ----------------------===//
#include "Console.h"

#include "mlir/IR/Location.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace moec;

static double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The parts of a location that a user knows: file positions, and names of nodes.
static void printLocation(raw_ostream &os, Location location) {
  if (auto file = dyn_cast<FileLineColLoc>(location)) {
    os << file.getFilename().getValue();
    if (file.getLine() != 0)
      os << ':' << file.getLine() << ':' << file.getColumn();
    os << ": ";
  } else if (auto name = dyn_cast<NameLoc>(location)) {
    printLocation(os, name.getChildLoc());
    os << name.getName().getValue() << ": ";
  } else if (auto fused = dyn_cast<FusedLoc>(location)) {
    if (!fused.getLocations().empty())
      printLocation(os, fused.getLocations().front());
  } else if (auto call = dyn_cast<CallSiteLoc>(location)) {
    printLocation(os, call.getCallee());
  }
}

Console::Console(MLIRContext *context, raw_ostream &os, bool showRemarks, bool showProgress)
    : os(os), showRemarks(showRemarks), showProgress(showProgress),
      handler(context, [this](Diagnostic &diagnostic) { handle(diagnostic); }) {}

raw_ostream &Console::stream() {
  if (lineOpen)
    os << '\n';
  lineOpen = false;
  return os;
}

void Console::print(Location location, StringRef severity, const llvm::Twine &message) {
  stream() << "moec: " << severity << ": ";
  printLocation(os, location);
  os << message << '\n';
}

void Console::handle(Diagnostic &diagnostic) {
  StringRef severity;
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    ++errorCount;
    severity = "error";
    break;
  case DiagnosticSeverity::Warning:
    ++warningCount;
    severity = "warning";
    break;
  case DiagnosticSeverity::Remark:
    ++remarkCount;
    if (!showRemarks)
      return;
    severity = "remark";
    break;
  case DiagnosticSeverity::Note:
    severity = "note";
    break;
  }
  if (muted)
    return;
  print(diagnostic.getLocation(), severity, diagnostic.str());
  for (Diagnostic &note : diagnostic.getNotes())
    print(note.getLocation(), "note", note.str());
}

void Console::error(const llvm::Twine &message) {
  ++errorCount;
  stream() << "moec: error: " << message << '\n';
}

void Console::warning(const llvm::Twine &message) {
  ++warningCount;
  stream() << "moec: warning: " << message << '\n';
}

void Console::internalError(const llvm::Twine &message) { stream() << "moec: internal error: " << message << '\n'; }

void Console::beginStage(Stage stage) {
  stageStart = std::chrono::steady_clock::now();
  if (!showProgress)
    return;
  os << '[' << static_cast<int>(stage) + 1 << '/' << allStages.size() << "] "
     << llvm::left_justify(getStageName(stage), 12);
  os.flush();
  lineOpen = true;
}

void Console::endStage(Stage stage) {
  if (!showProgress)
    return;
  if (!lineOpen)
    os << "      " << llvm::left_justify(getStageName(stage), 12);
  os << llvm::format("%7.2f s\n", secondsSince(stageStart));
  lineOpen = false;
}

double Console::getSeconds() const { return secondsSince(start); }
