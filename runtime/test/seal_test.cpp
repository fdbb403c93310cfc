// Signed files: who may open them, and that no part of them can change.
#include "runtime_fixture.h"

using namespace moert::test;

namespace {

moert_status_t openRequiring(const Bytes &file, uint8_t key, ProgramPtr &program, bool verify = false) {
  const Bytes publicKey = ArtifactBuilder::getPublicKey(key);
  moert_program_options_t options = MOERT_PROGRAM_OPTIONS_INIT;
  options.require_signature = reinterpret_cast<const uint8_t *>(publicKey.data());
  options.verify = verify;
  moert_program_t *opened = nullptr;
  const moert_status_t status = moert_program_open_memory(file.data(), file.size(), &options, &opened);
  program.reset(opened);
  return status;
}

// A section's entry in the table, to be changed in place.
moert_section_t *findEntry(Bytes &file, uint32_t type) {
  auto *entry = reinterpret_cast<moert_section_t *>(file.data() + sizeof(moert_file_header_t));
  while (entry->type != type)
    ++entry;
  return entry;
}

class Seal : public testing::Test {
protected:
  Seal() {
    ArtifactBuilder builder = makeCopyProgram();
    builder.steps.words.clear();
    builder.weight("scale", MOERT_F32, {2}, Bytes(8));
    builder.steps.step(MOERT_STEP_RETURN, {});
    unsignedFile = builder.build();
    file = builder.buildSigned(1);
  }

  Bytes unsignedFile, file;
  ProgramPtr program;
};

TEST_F(Seal, LetsItsOwnKeyOpen) {
  ASSERT_EQ(openRequiring(file, 1, program, /*verify=*/true), MOERT_OK) << moert_last_error();
  ASSERT_NE(moert_program_signer(program.get()), nullptr);
  EXPECT_EQ(std::memcmp(moert_program_signer(program.get()), ArtifactBuilder::getPublicKey(1).data(), 32), 0);
  EXPECT_EQ(moert_program_signer(open(unsignedFile).get()), nullptr);
  EXPECT_EQ(moert_program_signer(nullptr), nullptr);
  EXPECT_EQ(tryOpen(file, program), MOERT_OK) << "no key was asked for";
}

TEST_F(Seal, RefusesOthers) {
  EXPECT_FAILS(openRequiring(file, 2, program), MOERT_UNTRUSTED, "the file is signed by another key, 8a88e3dd");
  EXPECT_FAILS(openRequiring(unsignedFile, 1, program), MOERT_UNTRUSTED, "the file is not signed");
  EXPECT_STREQ(moert_status_name(MOERT_UNTRUSTED), "untrusted");
}

TEST_F(Seal, CoversTheTable) {
  findEntry(file, MOERT_SECTION_STATES)->type = 1000; // would hide the states
  ArtifactBuilder::rehash(file);
  EXPECT_NE(openRequiring(file, 1, program), MOERT_OK);
  findEntry(file, 1000)->type = MOERT_SECTION_STATES;
  findEntry(file, MOERT_SECTION_CODE)->hash[0] ^= 1;
  EXPECT_FAILS(openRequiring(file, 1, program), MOERT_INVALID_FILE, "section table: hash does not match");
}

// Whoever changes a section can make all hashes right, but not the seal.
TEST_F(Seal, CoversEverySection) {
  for (uint32_t type : {MOERT_SECTION_STRINGS, MOERT_SECTION_PROGRAM, MOERT_SECTION_CODE, MOERT_SECTION_WEIGHT_DATA}) {
    Bytes changed = file;
    changed[findEntry(changed, type)->offset] ^= std::byte(1);
    ArtifactBuilder::rehash(changed);
    EXPECT_FAILS(openRequiring(changed, 1, program), MOERT_INVALID_FILE,
                 "seal section: the signature does not match, the file was changed");
    EXPECT_FAILS(tryOpen(changed, program), MOERT_INVALID_FILE, "the signature does not match");
  }
}

TEST_F(Seal, CoversWeightsThroughTheirHash) {
  file[findEntry(file, MOERT_SECTION_WEIGHT_DATA)->offset] ^= std::byte(1);
  EXPECT_EQ(openRequiring(file, 1, program), MOERT_OK) << moert_last_error();
  EXPECT_FAILS(openRequiring(file, 1, program, /*verify=*/true), MOERT_INVALID_FILE,
               "weight data section: hash does not match");
}

TEST_F(Seal, HasOneSize) {
  std::map<uint32_t, Bytes> sections = makeCopyProgram().getSections();
  sections[MOERT_SECTION_SEAL].resize(95);
  EXPECT_FAILS(tryOpen(ArtifactBuilder::build(sections), program), MOERT_INVALID_FILE,
               "seal section: 95 bytes, expected 96");
}

TEST_F(Seal, IsNotForgedByItsHeader) {
  moert_file_header_t header;
  std::memcpy(&header, file.data(), sizeof(header));
  header.format_version += 1;
  std::memcpy(file.data(), &header, sizeof(header));
  EXPECT_FAILS(openRequiring(file, 1, program), MOERT_INVALID_FILE, "the signature does not match");
}

} // namespace
