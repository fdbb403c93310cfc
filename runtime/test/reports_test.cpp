// What the tools compute themselves: sampling, JSON, reports of routing and traces.
#include "json.h"
#include "routing_report.h"
#include "runtime_fixture.h"
#include "sampler.h"
#include "tensor.h"
#include "trace_report.h"

#include <limits>

using namespace moert::test;
using namespace moert::tools;

namespace {

int32_t doNothing(void *const *, const int64_t *, void *, int64_t, int64_t) { return MOERT_KERNEL_OK; }

// Two tokens choose experts 3 and 1, and 3 alone; a kernel then reads the weight of the four experts. A task takes one
// row of an expert and half of its 32 bytes.
ArtifactBuilder makeRoutedProgram() {
  ArtifactBuilder builder;
  Bytes experts(16), gates(16);
  const int32_t expertValues[] = {3, 1, 3, -1};
  const float gateValues[] = {0.75f, 0.25f, 1, 0};
  std::memcpy(experts.data(), expertValues, 16);
  std::memcpy(gates.data(), gateValues, 16);
  builder.weight("chosen", MOERT_I32, {2, 2}, experts);
  builder.weight("gates", MOERT_F32, {2, 2}, gates);
  builder.weight("up", MOERT_F32, {4, 8}, Bytes(128));
  Bytes offsets(20);
  const int32_t offsetValues[] = {0, 0, 1, 1, 3};
  std::memcpy(offsets.data(), offsetValues, 20);
  builder.weight("offsets", MOERT_I32, {5}, offsets);
  builder.layer("mlp", 4, 2, {{2, 0, 8192, 32}, {2, 1, 8224, 32}, {2, 2, 8256, 32}, {2, 3, 8288, 32}});
  const uint32_t kernel = builder.kernel("matmul", 2, 0, doNothing);
  builder.reads.push_back({kernel, 0, 1, 4, 2, 1, 32, 16, 0, 32});
  builder.steps.constant(0, 2);
  builder.steps.constant(1, 8); // tasks: room for a fourth slot
  builder.steps.step(MOERT_STEP_ROUTING, {0, builder.weightSlot(0), builder.weightSlot(1), 0});
  builder.dispatch(kernel, 1, 2, 2, "mlp/up", {builder.weightSlot(2), builder.weightSlot(3)}, {});
  builder.steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

TEST(Reports, TraceNamesTheBytesOfActiveExperts) {
  const ProgramPtr program = open(makeRoutedProgram().build());
  RoutingReport routing(program.get());
  TraceReport trace(program.get());
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  routing.attach(options);
  trace.attach(options);
  const SessionPtr session = makeSession(program.get(), options);
  ASSERT_EQ(moert_session_run(session.get(), nullptr, 0, nullptr, 0), MOERT_OK) << moert_last_error();
  const std::string text = trace.finish();
  EXPECT_NE(text.find("\"weights\":[{\"name\":\"up\",\"offset\":8224,\"bytes\":32,\"layer\":0,\"expert\":1},"
                      "{\"name\":\"up\",\"offset\":8288,\"bytes\":32,\"layer\":0,\"expert\":3},"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\"begin\":0,\"end\":8,\"reads\":[{\"weight\":\"up\",\"expert\":1,\"bytes\":[8224,32]},"
                      "{\"weight\":\"up\",\"expert\":3,\"bytes\":[8288,32]},"
                      "{\"weight\":\"up\",\"expert\":3,\"bytes\":[8288,32]}]"),
            std::string::npos)
      << text;
  EXPECT_EQ(routing.getLayers()[0].counts, (std::vector<int64_t>{0, 1, 0, 2}));
  EXPECT_EQ(routing.getLayers()[0].gateSums, (std::vector<double>{0, 0.25, 0, 1.75}));
  EXPECT_NE(routing.toJson().find("\"tokens\":2,\"counts\":[0,1,0,2],\"gate_sums\":[0,0.25,0,1.75]"), std::string::npos)
      << routing.toJson();
}

TEST(Reports, JsonEscapes) {
  JsonWriter json;
  json.beginObject().member("a\"\\\n", std::string("\x01é")).member("n", 0.5).key("list").beginArray();
  json.value(1).value(true).value(std::numeric_limits<double>::quiet_NaN()).endArray().endObject();
  EXPECT_EQ(json.getText(), "{\"a\\\"\\\\\\u000a\":\"\\u0001é\",\"n\":0.5,\"list\":[1,true,null]}");
}

TEST(Sampler, TakesTheBestAndTheLowestOfEqual) { EXPECT_EQ(Sampler({}).choose({1, 5, 5, 2}), 1); }

TEST(Sampler, KeepsToItsLimits) {
  const std::vector<double> scores = {0, 3, 1, 2};
  auto seen = [&](SamplerOptions options) {
    Sampler sampler(options);
    std::vector<int> counts(4);
    for (int i = 0; i < 4000; ++i)
      ++counts[static_cast<size_t>(sampler.choose(scores))];
    return counts;
  };
  const std::vector<int> all = seen({.temperature = 1});
  EXPECT_NEAR(all[1], 4000 * 0.6439, 150); // softmax of the scores
  EXPECT_NEAR(all[0], 4000 * 0.0321, 60);
  const std::vector<int> two = seen({.temperature = 1, .topK = 2});
  EXPECT_EQ(two[0] + two[2], 0);
  EXPECT_GT(two[3], 0);
  EXPECT_EQ(seen({.temperature = 1, .topP = 0.6})[1], 4000);
  EXPECT_GT(seen({.temperature = 1, .topP = 0.65})[3], 0);
}

TEST(Tensor, RoundsToSmallFloats) {
  auto roundTrip = [](uint32_t type, double value) {
    moert::tools::Tensor tensor{type, {1}, {}};
    resize(tensor);
    setElement(tensor, 0, value);
    return getElement(tensor.getView(), 0);
  };
  for (double exact : {0.0, 1.0, -2.5, 65504.0, 0x1p-24, 0x1p-14, 0x1.ff8p-15})
    EXPECT_EQ(roundTrip(MOERT_F16, exact), exact);
  EXPECT_EQ(roundTrip(MOERT_F16, 1 + 0x1p-11), 1); // ties to even
  EXPECT_EQ(roundTrip(MOERT_F16, 1 + 0x1.8p-10), 1 + 0x1p-9);
  EXPECT_EQ(roundTrip(MOERT_F16, 2047.9), 2048);
  EXPECT_EQ(roundTrip(MOERT_F16, 1e6), std::numeric_limits<double>::infinity());
  EXPECT_EQ(roundTrip(MOERT_BF16, 1 + 0x1p-8), 1);
  EXPECT_EQ(roundTrip(MOERT_BF16, -3.0), -3);
  EXPECT_EQ(roundTrip(MOERT_I8, -7), -7);
  EXPECT_EQ(roundTrip(MOERT_U32, 7), 7);
}

} // namespace
