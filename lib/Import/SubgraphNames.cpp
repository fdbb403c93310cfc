//===- SubgraphNames.cpp - one name, one value ----------------------------------===//

#include "SubgraphNames.h"

using namespace llvm;
using namespace moec::reader;
using ::onnx::GraphProto;
using ::onnx::NodeProto;

void UniqueNames::visit(GraphProto &graph, StringMap<std::string> renamed) {
  StringSet<> own;
  auto define = [&](const std::string &name) {
    // A name that is renamed already stands for a value outside: a formal result of a function.
    if (name.empty() || renamed.contains(name) || !own.insert(name).second || taken.insert(name).second)
      return;
    std::string fresh;
    do
      fresh = name + "." + std::to_string(suffix++);
    while (!taken.insert(fresh).second);
    renamed[name] = fresh;
  };
  for (const auto &input : graph.input())
    define(input.name());
  for (const auto &initializer : graph.initializer())
    define(initializer.name());
  for (const NodeProto &node : graph.node())
    for (const std::string &output : node.output())
      define(output);

  auto rename = [&](std::string *name) {
    if (auto found = renamed.find(*name); found != renamed.end())
      *name = found->second;
  };
  for (auto &input : *graph.mutable_input())
    rename(input.mutable_name());
  for (auto &initializer : *graph.mutable_initializer())
    rename(initializer.mutable_name());
  for (auto &output : *graph.mutable_output())
    rename(output.mutable_name());
  for (auto &info : *graph.mutable_value_info())
    rename(info.mutable_name());
  for (NodeProto &node : *graph.mutable_node()) {
    for (std::string &input : *node.mutable_input())
      rename(&input);
    for (std::string &output : *node.mutable_output())
      rename(&output);
    for (auto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        visit(*attribute.mutable_g(), renamed);
  }
}
