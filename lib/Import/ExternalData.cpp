//===- ExternalData.cpp - where a tensor's external data lies -------------------===//

#include "ExternalData.h"
#include "TensorData.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace moec::reader;
using ::onnx::TensorProto;

ExternalData::ExternalData(const Reporter &reporter)
    : reporter(reporter), folder(sys::path::parent_path(reporter.getPath()).str()) {}

mlir::FailureOr<ExternalData::File> ExternalData::open(const std::string &tensorName, StringRef location) {
  if (auto known = files.find(location); known != files.end())
    return known->second;
  auto error = [&]() -> mlir::InFlightDiagnostic {
    return reporter.error() << "tensor '" << tensorName << "': external data file '" << location << "' ";
  };
  if (location.empty() || sys::path::is_absolute(location))
    return error() << "must be a relative path";
  for (StringRef part : make_range(sys::path::begin(location), sys::path::end(location)))
    if (part == "..")
      return error() << "must not contain '..'";
  if (location.contains('\0'))
    return error() << "must not contain a zero byte";

  SmallString<256> path(folder);
  sys::path::append(path, location);
  SmallString<256> realFolder, realPath;
  std::error_code code = sys::fs::real_path(folder.empty() ? "." : folder, realFolder);
  if (!code)
    code = sys::fs::real_path(path, realPath);
  sys::fs::file_status status;
  if (!code)
    code = sys::fs::status(realPath, status);
  if (code)
    return error() << "cannot be opened: " << code.message();
  StringRef inside = realPath;
  if (!inside.consume_front(realFolder) || (!realFolder.ends_with("/") && !inside.starts_with("/")))
    return error() << "leads out of the model's folder through a symbolic link";
  if (!sys::fs::is_regular_file(status))
    return error() << "is not a regular file";
  File file{path.str().str(), status.getSize()};
  files[location] = file;
  return file;
}

mlir::FailureOr<TensorSource> ExternalData::resolve(const TensorProto &tensor) {
  auto error = [&]() -> mlir::InFlightDiagnostic {
    return reporter.error() << "tensor '" << tensor.name() << "': external data ";
  };
  StringRef location, offsetText, lengthText;
  for (const ::onnx::StringStringEntryProto &entry : tensor.external_data()) {
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset")
      offsetText = entry.value();
    else if (entry.key() == "length")
      lengthText = entry.value();
  }
  uint64_t expected = *getByteSize(tensor.data_type(), getDims(tensor));
  uint64_t offset = 0, length = expected;
  if (!offsetText.empty() && offsetText.getAsInteger(10, offset))
    return error() << "offset must be a number, found '" << offsetText << "'";
  if (!lengthText.empty() && lengthText.getAsInteger(10, length))
    return error() << "length must be a number, found '" << lengthText << "'";
  if (length != expected)
    return error() << "length does not fit the shape: expected " << expected << " bytes, found " << length;
  mlir::FailureOr<File> file = open(tensor.name(), location);
  if (failed(file))
    return mlir::failure();
  if (offset > file->size || length > file->size - offset)
    return error() << "lies outside '" << location << "': expected " << length << " bytes at offset " << offset
                   << ", found a file of " << file->size << " bytes";
  return TensorSource{file->path, offset, length, {}};
}

mlir::FailureOr<std::string> ExternalData::read(const TensorSource &source) {
  auto slice = MemoryBuffer::getFileSlice(source.path, source.size, source.offset);
  if (!slice)
    return reporter.error() << "cannot read '" << source.path << "': " << slice.getError().message();
  return (*slice)->getBuffer().str();
}
