//===- NpyFileTest.cpp - reading and writing .npy files ---------------------===//

#include "moec/Reference/NpyFile.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace moec::reference;
using ::testing::ElementsAre;

namespace {

class NpyFileTest : public ::testing::Test {
protected:
  NpyFileTest() : remover(path) {
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("tensor", "npy", path));
    remover.setFile(path);
  }

  HostTensor roundTrip(const HostTensor &tensor) {
    llvm::cantFail(writeNpy(path, tensor));
    return llvm::cantFail(readNpy(path, tensor.getElementType()));
  }
  /// The message with which reading is refused.
  std::string refusal(mlir::Type elementType) {
    auto tensor = readNpy(path, elementType);
    std::string text = tensor ? "" : llvm::toString(tensor.takeError());
    return text.substr(std::min(text.size(), path.size()));
  }
  void write(llvm::StringRef bytes) {
    std::error_code error;
    llvm::raw_fd_ostream(path, error) << bytes;
  }

  mlir::MLIRContext context;
  mlir::Builder builder{&context};
  llvm::SmallString<128> path;
  llvm::FileRemover remover;
};

TEST_F(NpyFileTest, RoundTrips) {
  for (mlir::Type type : {mlir::Type(builder.getF64Type()), mlir::Type(builder.getF32Type()),
                          mlir::Type(builder.getF16Type()), mlir::Type(builder.getBF16Type())}) {
    HostTensor tensor = roundTrip(HostTensor(type, {1, 2}, {1.5, -0.25}));
    EXPECT_THAT(tensor.getShape(), ElementsAre(1, 2));
    EXPECT_EQ(tensor.real(0), 1.5);
    EXPECT_EQ(tensor.real(1), -0.25);
  }
  for (unsigned width : {4u, 8u, 16u, 32u, 64u}) {
    HostTensor tensor = roundTrip(HostTensor(builder.getIntegerType(width), {2}, {7, -8}));
    EXPECT_EQ(tensor.integer(0), 7);
    EXPECT_EQ(tensor.integer(1), -8);
  }
  EXPECT_EQ(roundTrip(HostTensor(builder.getIntegerType(8, /*isSigned=*/false), {1}, {200})).integer(0), 200);
  EXPECT_EQ(roundTrip(HostTensor(builder.getI1Type(), {}, {1})).integer(0), 1);
  EXPECT_THAT(roundTrip(HostTensor(builder.getF32Type(), {0, 3})).getShape(), ElementsAre(0, 3));
}

TEST_F(NpyFileTest, Refusals) {
  write("text");
  EXPECT_EQ(refusal(builder.getF32Type()), ": not an .npy file");
  llvm::cantFail(writeNpy(path, HostTensor(builder.getF32Type(), {2})));
  EXPECT_EQ(refusal(builder.getI64Type()), ": expected elements of type <i8, found <f4");
  auto file = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(path)));
  write(file->getBuffer().drop_back(1));
  EXPECT_EQ(refusal(builder.getF32Type()), ": expected 8 bytes of elements, found 7");
  std::string columnMajor = file->getBuffer().str();
  columnMajor.replace(columnMajor.find("False"), 5, "True ");
  write(columnMajor);
  EXPECT_EQ(refusal(builder.getF32Type()), ": expected row-major order");
}

} // namespace
