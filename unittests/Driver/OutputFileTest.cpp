// A file is written whole or not at all.
#include "OutputFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace moec;

namespace {

class OutputFile : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(sys::fs::createUniqueDirectory("moec-output", folder));
    path = folder;
    sys::path::append(path, "out");
  }
  void TearDown() override { sys::fs::remove_directories(folder); }

  Expected<uint64_t> writeText(StringRef text) {
    return writeFileAtomically(path, [&](raw_pwrite_stream &os) { return os << text, Error::success(); });
  }
  std::string readText() { return (*MemoryBuffer::getFile(path))->getBuffer().str(); }
  size_t countFiles() {
    std::error_code error;
    size_t count = 0;
    for (sys::fs::directory_iterator entry(folder, error), end; entry != end && !error; entry.increment(error))
      ++count;
    return count;
  }

  SmallString<128> folder, path;
};

TEST_F(OutputFile, ReplacesWhatWasThere) {
  consumeError(writeText("old").takeError());
  Expected<uint64_t> size = writeText("new text");
  ASSERT_TRUE(static_cast<bool>(size));
  EXPECT_EQ(*size, 8u);
  EXPECT_EQ(readText(), "new text");
  EXPECT_EQ(countFiles(), 1u);
}

TEST_F(OutputFile, FailureLeavesWhatWasThere) {
  consumeError(writeText("old").takeError());
  Expected<uint64_t> size = writeFileAtomically(path, [](raw_pwrite_stream &os) {
    os << "half";
    return createStringError("no more");
  });
  ASSERT_FALSE(static_cast<bool>(size));
  EXPECT_EQ(toString(size.takeError()), "no more");
  EXPECT_EQ(readText(), "old");
  EXPECT_EQ(countFiles(), 1u);
}

TEST_F(OutputFile, MissingFolderIsAnError) {
  path = folder;
  sys::path::append(path, "missing", "out");
  Expected<uint64_t> size = writeText("text");
  ASSERT_FALSE(static_cast<bool>(size));
  consumeError(size.takeError());
  EXPECT_EQ(countFiles(), 0u);
}

TEST_F(OutputFile, DevicesAreWrittenInPlace) {
  path = "/dev/null";
  Expected<uint64_t> size = writeText("text");
  ASSERT_TRUE(static_cast<bool>(size));
  sys::fs::file_status status;
  ASSERT_FALSE(sys::fs::status(path, status));
  EXPECT_EQ(status.type(), sys::fs::file_type::character_file);
}

} // namespace
