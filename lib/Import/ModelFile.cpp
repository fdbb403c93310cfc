//===- ModelFile.cpp - file -> ModelProto without the bytes of weights ----------===//
//
// A model file may hold gigabytes of weights. Its wire format is walked first: every byte is copied but the `raw_data`
// of large tensors, whose place in the file is noted instead, and protobuf parses the copy.
//
//===----------------------------------------------------------------------===//

#include "ModelFile.h"
#include "onnx/defs/parser.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/LEB128.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec::reader;

namespace {

/// Tensors below this keep their bytes.
constexpr uint64_t inlineLimit = 1024;
/// Field number in TensorProto that ONNX does not use: the index of the range left out.
constexpr uint32_t leftOutField = 100000;
/// Subgraphs nested deeper than this are refused; protobuf stops at 100 messages.
constexpr unsigned maxDepth = 90;

enum class Message { Model, Graph, Node, Attribute, Tensor };

/// The message in field `number` of `message`, if the walker looks into it.
std::optional<Message> getChild(Message message, uint64_t number) {
  switch (message) {
  case Message::Model:
    return number == 7 ? std::optional(Message::Graph) : std::nullopt;
  case Message::Graph:
    if (number == 5)
      return Message::Tensor;
    return number == 1 ? std::optional(Message::Node) : std::nullopt;
  case Message::Node:
    return number == 5 ? std::optional(Message::Attribute) : std::nullopt;
  case Message::Attribute:
    if (number == 5)
      return Message::Tensor;
    return number == 6 || number == 11 ? std::optional(Message::Graph) : std::nullopt;
  case Message::Tensor:
    return std::nullopt;
  }
  llvm_unreachable("all messages are handled");
}

void appendVarint(std::string &out, uint64_t value) {
  uint8_t bytes[10];
  unsigned size = encodeULEB128(value, bytes);
  out.append(reinterpret_cast<char *>(bytes), size);
}

class WireWalker {
public:
  WireWalker(StringRef file, SmallVectorImpl<std::pair<uint64_t, uint64_t>> &leftOut) : file(file), leftOut(leftOut) {}

  bool walk(uint64_t begin, uint64_t end, Message message, unsigned depth, std::string &out);

  /// What was wrong, after `walk` returned false.
  std::string error;

private:
  bool readVarint(uint64_t &position, uint64_t end, uint64_t &value);
  bool fail(const Twine &what, uint64_t position) {
    error = (what + " at byte " + Twine(position)).str();
    return false;
  }

  StringRef file;
  SmallVectorImpl<std::pair<uint64_t, uint64_t>> &leftOut;
};

bool WireWalker::readVarint(uint64_t &position, uint64_t end, uint64_t &value) {
  value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (position == end)
      return fail("truncated number", position);
    uint8_t byte = file[position++];
    if (shift < 64)
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80)
      return true;
  }
  return fail("number of more than ten bytes", position);
}

bool WireWalker::walk(uint64_t begin, uint64_t end, Message message, unsigned depth, std::string &out) {
  if (depth > maxDepth)
    return fail("subgraphs nested too deeply", begin);
  for (uint64_t position = begin; position < end;) {
    uint64_t start = position, tag, length;
    if (!readVarint(position, end, tag))
      return false;
    uint64_t number = tag >> 3;
    if (number == 0)
      return fail("field number 0", start);
    switch (tag & 7) {
    case 0:
      if (!readVarint(position, end, length))
        return false;
      if (message == Message::Tensor && number == leftOutField)
        continue;
      length = 0;
      break;
    case 1:
      length = 8;
      break;
    case 2:
      if (!readVarint(position, end, length))
        return false;
      break;
    case 5:
      length = 4;
      break;
    default:
      return fail("unknown wire type " + Twine(tag & 7), start);
    }
    if (length > end - position)
      return fail("field of " + Twine(length) + " bytes where " + Twine(end - position) + " are left", start);

    bool delimited = (tag & 7) == 2;
    if (std::optional<Message> child = delimited ? getChild(message, number) : std::nullopt) {
      std::string body;
      if (!walk(position, position + length, *child, depth + 1, body))
        return false;
      appendVarint(out, tag);
      appendVarint(out, body.size());
      out += body;
    } else if (delimited && message == Message::Tensor && number == 9 && length > inlineLimit) {
      appendVarint(out, static_cast<uint64_t>(leftOutField) << 3);
      appendVarint(out, leftOut.size());
      leftOut.emplace_back(position, length);
    } else {
      out.append(file.data() + start, position + length - start);
    }
    position += length;
  }
  return true;
}

LogicalResult parseText(OnnxModel &model, const Reporter &reporter) {
  std::string text = model.file->getBuffer().str();
  ::onnx::OnnxParser parser(text.c_str());
  ::onnx::Common::Status status;
  if (failed(reporter.guard("cannot parse the model", [&] { status = parser.Parse(model.proto); })))
    return failure();
  if (!status.IsOK())
    return reporter.libraryError("cannot parse the model", status.ErrorMessage());
  return success();
}

} // namespace

std::optional<uint64_t> moec::reader::takeLeftOut(::onnx::TensorProto &tensor) {
  const google::protobuf::Reflection *reflection = tensor.GetReflection();
  const google::protobuf::UnknownFieldSet &fields = reflection->GetUnknownFields(tensor);
  std::optional<uint64_t> index;
  for (int i = 0, count = fields.field_count(); i < count; ++i)
    if (fields.field(i).number() == static_cast<int>(leftOutField) &&
        fields.field(i).type() == google::protobuf::UnknownField::TYPE_VARINT)
      index = fields.field(i).varint();
  reflection->MutableUnknownFields(&tensor)->Clear();
  return index;
}

LogicalResult moec::reader::readModelFile(OnnxModel &model, const Reporter &reporter) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file =
      MemoryBuffer::getFile(reporter.getPath(), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return reporter.error() << "cannot read the model: " << file.getError().message();
  model.file = std::move(*file);
  if (reporter.getPath().ends_with(".onnxtxt"))
    return parseText(model, reporter);

  WireWalker walker(model.file->getBuffer(), model.leftOut);
  std::string parts;
  if (!walker.walk(0, model.file->getBufferSize(), Message::Model, 0, parts))
    return reporter.error() << "not an ONNX model: " << walker.error;
  if (!model.proto.ParseFromString(parts))
    return reporter.error() << "not an ONNX model: protobuf cannot parse it";
  return success();
}
