// Accepts --name=value and --name value.
#include "command_line.h"

#include "tool_error.h"

#include <charconv>

namespace moert::tools {

template <typename Number> static void parseNumber(const std::string &name, std::string_view value, Number &target) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), target);
  if (error != std::errc() || end != value.data() + value.size())
    throw ToolError("--" + name + ": '" + std::string(value) + "' is not a number");
}

void CommandLine::flag(std::string name, std::string help, bool &target) {
  options.push_back({std::move(name), "", std::move(help), [&target](std::string_view) { target = true; }});
}

void CommandLine::text(std::string name, std::string placeholder, std::string help, std::string &target) {
  options.push_back({std::move(name), std::move(placeholder), std::move(help),
                     [&target](std::string_view value) { target = value; }});
}

void CommandLine::text(std::string name, std::string placeholder, std::string help,
                       std::optional<std::string> &target) {
  options.push_back({std::move(name), std::move(placeholder), std::move(help),
                     [&target](std::string_view value) { target = value; }});
}

void CommandLine::number(std::string name, std::string placeholder, std::string help, double &target) {
  auto apply = [name, &target](std::string_view value) { parseNumber(name, value, target); };
  options.push_back({std::move(name), std::move(placeholder), std::move(help), std::move(apply)});
}

void CommandLine::number(std::string name, std::string placeholder, std::string help, std::optional<double> &target) {
  auto apply = [name, &target](std::string_view value) { parseNumber(name, value, target.emplace()); };
  options.push_back({std::move(name), std::move(placeholder), std::move(help), std::move(apply)});
}

void CommandLine::count(std::string name, std::string placeholder, std::string help, int64_t &target) {
  auto apply = [name, &target](std::string_view value) {
    parseNumber(name, value, target);
    if (target < 0)
      throw ToolError("--" + name + ": " + std::string(value) + " is negative");
  };
  options.push_back({std::move(name), std::move(placeholder), std::move(help), std::move(apply)});
}

void CommandLine::list(std::string name, std::string placeholder, std::string help, std::vector<std::string> &target) {
  options.push_back({std::move(name), std::move(placeholder), std::move(help),
                     [&target](std::string_view value) { target.emplace_back(value); }});
}

const CommandLine::Option &CommandLine::find(std::string_view name) const {
  for (const Option &option : options)
    if (option.name == name && !name.empty())
      return option;
  throw ToolError("unknown option --" + std::string(name) + " (see --help)");
}

std::vector<std::string> CommandLine::parse(int argc, char **argv, bool &wantsHelp) const {
  std::vector<std::string> arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "-h" || argument == "--help") {
      wantsHelp = true;
      return {};
    }
    if (argument.size() < 2 || argument.substr(0, 2) != "--") {
      arguments.emplace_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(2, equals == argument.npos ? equals : equals - 2);
    const Option &option = find(name);
    if (option.placeholder.empty() && equals != argument.npos)
      throw ToolError("--" + option.name + " takes no value");
    if (option.placeholder.empty() || equals != argument.npos) {
      option.apply(equals == argument.npos ? "" : argument.substr(equals + 1));
      continue;
    }
    if (++i == argc)
      throw ToolError("--" + option.name + " needs a value: " + option.placeholder);
    option.apply(argv[i]);
  }
  return arguments;
}

std::string CommandLine::help() const {
  std::string text = "usage: " + usage + "\n\n" + summary + "\n";
  constexpr size_t column = 26;
  for (const Option &option : options) {
    if (option.name.empty()) {
      text += "\n" + option.help + "\n";
      continue;
    }
    std::string line = "  --" + option.name + (option.placeholder.empty() ? "" : "=" + option.placeholder);
    line += line.size() + 2 > column ? "\n" + std::string(column, ' ') : std::string(column - line.size(), ' ');
    for (size_t begin = 0; begin <= option.help.size();) {
      const size_t end = std::min(option.help.find('\n', begin), option.help.size());
      text += (begin ? std::string(column, ' ') : line) + option.help.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
  }
  return text + "\n  --help                  this text\n";
}

} // namespace moert::tools
