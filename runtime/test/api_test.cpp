// The edges of the C API: versions, null arguments, option structures, files, DLPack.
#include "api/dlpack.h"
#include "runtime_fixture.h"

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace moert::test;

namespace {

TEST(Api, HasVersionAndNames) {
  EXPECT_EQ(moert_version(), MOERT_VERSION_MAJOR * 10000u + MOERT_VERSION_MINOR * 100u + MOERT_VERSION_PATCH);
  EXPECT_STREQ(moert_version_string(), "0.1.0");
  EXPECT_STREQ(moert_status_name(MOERT_INVALID_FILE), "invalid file");
  EXPECT_STREQ(moert_status_name(static_cast<moert_status_t>(15)), "unknown status");
  EXPECT_STREQ(moert_element_type_name(MOERT_BF16), "bf16");
  EXPECT_EQ(moert_element_type_size(MOERT_BF16), 2u);
  EXPECT_STREQ(moert_element_type_name(MOERT_F8E5M2FNUZ), "f8e5m2fnuz");
  // Parts of a byte take a whole one.
  EXPECT_STREQ(moert_element_type_name(MOERT_I4), "i4");
  EXPECT_EQ(moert_element_type_size(MOERT_I4), 1u);
  EXPECT_EQ(moert_element_type_size(8), 0u);
}

TEST(Api, RefusesNull) {
  moert_program_t *program = nullptr;
  moert_session_t *session = nullptr;
  EXPECT_FAILS(moert_program_open(nullptr, nullptr, &program), MOERT_INVALID_ARGUMENT, "path is null");
  EXPECT_FAILS(moert_program_open("x", nullptr, nullptr), MOERT_INVALID_ARGUMENT, "out_program is null");
  EXPECT_FAILS(moert_program_open_memory(nullptr, 0, nullptr, &program), MOERT_INVALID_ARGUMENT, "bytes is null");
  EXPECT_FAILS(moert_program_verify(nullptr), MOERT_INVALID_ARGUMENT, "program is null");
  EXPECT_FAILS(moert_session_create(nullptr, nullptr, &session), MOERT_INVALID_ARGUMENT, "program is null");
  EXPECT_FAILS(moert_session_run(nullptr, nullptr, 0, nullptr, 0), MOERT_INVALID_ARGUMENT, "session is null");
  moert_program_close(nullptr);
  moert_session_destroy(nullptr);
  moert_session_cancel(nullptr);
  EXPECT_EQ(moert_program_input_count(nullptr), 0u);
  EXPECT_EQ(moert_program_find_input(nullptr, "x"), -1);
  EXPECT_EQ(moert_session_memory(nullptr), 0u);
}

TEST(Api, KnowsOlderOptions) {
  const Bytes file = makeCopyProgram().build();
  moert_program_options_t options = MOERT_PROGRAM_OPTIONS_INIT;
  options.variant = "not there";
  options.size = offsetof(moert_program_options_t, variant); // a caller who does not know this field yet
  moert_program_t *program = nullptr;
  EXPECT_EQ(moert_program_open_memory(file.data(), file.size(), &options, &program), MOERT_OK) << moert_last_error();
  moert_program_close(program);
  options.size = sizeof(options) + 8;
  EXPECT_FAILS(moert_program_open_memory(file.data(), file.size(), &options, &program), MOERT_INVALID_ARGUMENT,
               "options of 40 bytes, expected at most 32");
  options = MOERT_PROGRAM_OPTIONS_INIT;
  options.load = 2;
  EXPECT_FAILS(moert_program_open_memory(file.data(), file.size(), &options, &program), MOERT_INVALID_ARGUMENT,
               "unknown way to load: 2");
  moert_tensor_info_t info = {4, nullptr, 0, 0, nullptr};
  const ProgramPtr opened = open(file);
  EXPECT_FAILS(moert_program_input(opened.get(), 0, &info), MOERT_INVALID_ARGUMENT, "info of 4 bytes");
}

class FileTest : public testing::Test {
protected:
  FileTest() : folder(std::filesystem::temp_directory_path() / ("moert_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder);
  }
  ~FileTest() override { std::filesystem::remove_all(folder); }

  std::filesystem::path folder;
};

TEST_F(FileTest, OpensMappedAndRead) {
  ArtifactBuilder builder;
  builder.output("y", MOERT_I64, {1});
  Bytes value(8);
  value[0] = std::byte(42);
  builder.weight("w", MOERT_I64, {1}, value);
  builder.steps.constant(0, 1);
  builder.steps.constant(1, 8);
  builder.steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, 0});
  builder.steps.step(MOERT_STEP_COPY, {builder.slot(0), 2, builder.weightSlot(0), 2, 1});
  builder.steps.step(MOERT_STEP_RETURN, {});
  const Bytes file = builder.build();
  const std::string path = folder / "model.moe";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char *>(file.data()), std::streamsize(file.size()));
  for (uint32_t load : {MOERT_LOAD_MAP, MOERT_LOAD_READ}) {
    moert_program_options_t options = MOERT_PROGRAM_OPTIONS_INIT;
    options.load = load;
    options.verify = 1;
    moert_program_t *opened = nullptr;
    ASSERT_EQ(moert_program_open(path.c_str(), &options, &opened), MOERT_OK) << moert_last_error();
    const ProgramPtr program(opened);
    const SessionPtr session = makeSession(program.get());
    ASSERT_EQ(moert_session_run(session.get(), nullptr, 0, nullptr, 0), MOERT_OK) << moert_last_error();
    moert_tensor_view_t view;
    ASSERT_EQ(moert_session_output(session.get(), 0, &view), MOERT_OK);
    EXPECT_EQ(elementsOf<int64_t>(view), std::vector<int64_t>{42});
  }
}

TEST_F(FileTest, SaysWhyAFileCannotBeOpened) {
  moert_program_t *program = nullptr;
  const std::string missing = folder / "missing.moe";
  EXPECT_FAILS(moert_program_open(missing.c_str(), nullptr, &program), MOERT_IO_ERROR,
               "missing.moe: cannot be opened: No such file");
  EXPECT_FAILS(moert_program_open(folder.c_str(), nullptr, &program), MOERT_IO_ERROR, "not a regular file");
  const std::string text = folder / "text.moe";
  std::ofstream(text) << std::string(100, 'x');
  EXPECT_FAILS(moert_program_open(text.c_str(), nullptr, &program), MOERT_INVALID_FILE,
               "text.moe: not a .moe file: it does not start with the magic bytes");
}

TEST(DlPack, GoesInAndOut) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  const SessionPtr session = makeSession(program.get());
  float elements[] = {0, 1, 2, 3}, results[3];
  int64_t shape[] = {1, 3}, strides[] = {100, 1}; // the stride of an extent of 1 does not matter
  DLManagedTensorVersioned tensor = {
      {1, 0}, nullptr, nullptr, 0, {elements, {1, 0}, 2, {2, 32, 1}, shape, strides, sizeof(float)}};
  DLManagedTensorVersioned target = tensor;
  target.dl_tensor.data = results;
  target.dl_tensor.byte_offset = 0;
  moert_tensor_view_t input, output;
  ASSERT_EQ(moert_view_from_dlpack(&tensor, 0, &input), MOERT_OK) << moert_last_error();
  ASSERT_EQ(moert_view_from_dlpack(&target, 1, &output), MOERT_OK) << moert_last_error();
  ASSERT_EQ(moert_session_run(session.get(), &input, 1, &output, 1), MOERT_OK) << moert_last_error();
  EXPECT_EQ(results[2], 4);

  DLManagedTensorVersioned *copy = nullptr;
  ASSERT_EQ(moert_view_to_dlpack(&output, &copy), MOERT_OK) << moert_last_error();
  EXPECT_EQ(copy->version.major, 1u);
  EXPECT_EQ(copy->dl_tensor.shape[1], 3);
  EXPECT_EQ(static_cast<float *>(copy->dl_tensor.data)[0], 2);
  copy->deleter(copy);
}

TEST(DlPack, KnowsFloatsOfEightBits) {
  const int64_t extent = 4;
  uint8_t elements[] = {0, 60, 124, 255};
  const moert_tensor_view_t view = {MOERT_F8E5M2, 1, &extent, elements, sizeof(elements)};
  DLManagedTensorVersioned *copy = nullptr;
  ASSERT_EQ(moert_view_to_dlpack(&view, &copy), MOERT_OK) << moert_last_error();
  EXPECT_EQ(copy->dl_tensor.dtype.code, moert::dlCodeFloat8E5M2);
  moert_tensor_view_t back;
  ASSERT_EQ(moert_view_from_dlpack(copy, 0, &back), MOERT_OK) << moert_last_error();
  EXPECT_EQ(back.element_type, uint32_t(MOERT_F8E5M2));
  copy->deleter(copy);
}

TEST(DlPack, RefusesWhatItCannotUse) {
  float elements[6];
  int64_t shape[] = {2, 3}, strides[] = {1, 2};
  const DLManagedTensorVersioned good = {
      {1, 0}, nullptr, nullptr, 0, {elements, {1, 0}, 2, {2, 32, 1}, shape, nullptr, 0}};
  moert_tensor_view_t view;
  auto import = [&](auto change, int forOutput = 0) {
    DLManagedTensorVersioned tensor = good;
    change(tensor);
    return moert_view_from_dlpack(&tensor, forOutput, &view);
  };
  EXPECT_FAILS(import([](auto &t) { t.version.major = 2; }), MOERT_UNSUPPORTED, "version 2, expected 1");
  EXPECT_FAILS(import([](auto &t) { t.dl_tensor.device.device_type = 2; }), MOERT_UNSUPPORTED, "device type 2");
  EXPECT_FAILS(import([](auto &t) { t.dl_tensor.dtype.lanes = 4; }), MOERT_UNSUPPORTED, "4 lanes");
  EXPECT_FAILS(import([&](auto &t) { t.dl_tensor.strides = strides; }), MOERT_UNSUPPORTED, "not dense");
  EXPECT_FAILS(import([](auto &t) { t.dl_tensor.ndim = 17; }), MOERT_INVALID_ARGUMENT, "rank 17");
  EXPECT_FAILS(import([](auto &t) { t.flags = 1; }, 1), MOERT_INVALID_ARGUMENT, "read-only");
  shape[0] = -1;
  EXPECT_FAILS(import([](auto &) {}), MOERT_INVALID_ARGUMENT, "extents -1x3");
  moert_tensor_view_t wrong = {MOERT_F32, 2, shape, elements, 24};
  DLManagedTensorVersioned *copy = nullptr;
  // DLPack packs integers of 4 bits.
  const moert_tensor_view_t narrow = {MOERT_I4, 1, strides, elements, 1};
  EXPECT_FAILS(moert_view_to_dlpack(&narrow, &copy), MOERT_INVALID_ARGUMENT, "do not fit together");
  EXPECT_FAILS(moert_view_to_dlpack(&wrong, &copy), MOERT_INVALID_ARGUMENT, "do not fit together");
}

} // namespace
