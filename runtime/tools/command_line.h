// Options of a tool as a table: parsing and --help from one description.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moert::tools {

class CommandLine {
public:
  // `usage` is what follows "usage: "; `summary` is the paragraph under it.
  CommandLine(std::string usage, std::string summary) : usage(std::move(usage)), summary(std::move(summary)) {}

  // Options added from here on are listed under `title`.
  void section(std::string title) { options.push_back({"", "", std::move(title), nullptr}); }
  void flag(std::string name, std::string help, bool &target);
  void text(std::string name, std::string placeholder, std::string help, std::string &target);
  void text(std::string name, std::string placeholder, std::string help, std::optional<std::string> &target);
  void number(std::string name, std::string placeholder, std::string help, double &target);
  void number(std::string name, std::string placeholder, std::string help, std::optional<double> &target);
  void count(std::string name, std::string placeholder, std::string help, int64_t &target);
  void list(std::string name, std::string placeholder, std::string help, std::vector<std::string> &target);

  // Returns the arguments that are no options. Throws ToolError on a wrong one. Sets `wantsHelp` at --help.
  std::vector<std::string> parse(int argc, char **argv, bool &wantsHelp) const;
  std::string help() const;

private:
  struct Option {
    std::string name, placeholder, help; // without a name: a section title in `help`
    std::function<void(std::string_view value)> apply;
  };

  const Option &find(std::string_view name) const;

  std::string usage, summary;
  std::vector<Option> options;
};

} // namespace moert::tools
