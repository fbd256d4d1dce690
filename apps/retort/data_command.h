// What the commands of `retort data` share: their options, how they stop, and what they say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "command.h"
#include "data/data_jobs.h"

namespace retort::apps::data_commands {

using Variables = std::optional<boost::program_options::variables_map>;

/// The options with DATA as the first word; nothing where help was asked for.
Variables parse(const Arguments& arguments, const CommandHelp& help,
                const boost::program_options::options_description& options);
std::filesystem::path data_of(const Variables& variables);
std::filesystem::path out_of(const Variables& variables);
/// --out and --json.
boost::program_options::options_description with_output();

/// Ctrl-C. What was written by then is removed.
struct Stopped {};
void stop_if_asked(std::int64_t rows);

void say(const task::ReadingNotes& notes);
int say(const Variables& variables, const data::JobReport& report);

int import_data(const Arguments& arguments);
int balance(const Arguments& arguments);
int redact(const Arguments& arguments);

}  // namespace retort::apps::data_commands
