//===- OnnxModel.cpp - errors of a model ----------------------------------------===//

#include "OnnxModel.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace moec::reader;

/// A node without a name goes by its first output.
static StringRef nameOf(const ::onnx::NodeProto &node) {
  StringRef name = node.name();
  for (const std::string &output : node.output())
    if (name.empty())
      name = output;
  return name;
}

std::string moec::reader::describe(const ::onnx::NodeProto &node) {
  return ("node '" + nameOf(node) + "' (" + (isDefaultDomain(node.domain()) ? "" : node.domain() + ".") + node.op_type() + ")")
      .str();
}

mlir::Location Reporter::getLoc() const { return mlir::FileLineColLoc::get(&context, path, 0, 0); }

mlir::Location Reporter::getLoc(const ::onnx::NodeProto &node) const {
  return mlir::NameLoc::get(mlir::StringAttr::get(&context, nameOf(node)), getLoc());
}

mlir::InFlightDiagnostic Reporter::error(const ::onnx::NodeProto &node) const {
  return error() << describe(node);
}

mlir::LogicalResult Reporter::libraryError(StringRef what, StringRef message) const {
  // Of inference errors only the first tells something: those after it follow from it.
  StringRef first = message.split("Inference error(s): ").second;
  if (!first.empty())
    message = first.split('\n').first;
  SmallVector<StringRef> words;
  SplitString(message, words);
  std::string line = join(words, " ");
  return error() << what << ": " << line;
}
