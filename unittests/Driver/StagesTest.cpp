// Names of the stages.
#include "moec/Driver/Stages.h"

#include "gtest/gtest.h"

using namespace moec;

namespace {

TEST(Stages, NamesRoundTrip) {
  for (Stage stage : allStages)
    EXPECT_EQ(parseStage(getStageName(stage)), stage);
}

TEST(Stages, UnknownNamesAreRefused) {
  EXPECT_EQ(parseStage(""), std::nullopt);
  EXPECT_EQ(parseStage("Import"), std::nullopt);
  EXPECT_EQ(parseStage("lower-"), std::nullopt);
}

} // namespace
