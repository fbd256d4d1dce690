// What `import` and `export` share: sizes, element types, progress and the result that they print.
#pragma once

#include <functional>

#include "command.h"
#include "exchange/model_exchange.h"

namespace retort::apps {

/// --shard-size and --json.
void add_exchange_options(boost::program_options::options_description& options);

/// "5GB", "500MB", "1GiB", "4096": bytes. Throws std::invalid_argument, beginning with the option's name.
std::size_t parse_size(const std::string& option, const std::string& text);

/// "q8_0" and the like. Throws std::invalid_argument naming those that can be written.
model::GgmlType parse_type(const std::string& text);

/// Runs `exchange` with a progress bar of this label; prints what was written and its notes, as text or JSON. Returns
/// the exit code: Ctrl-C leaves nothing behind.
int run_exchange(const std::string& label, const boost::program_options::variables_map& variables,
                 const std::function<exchange::ExchangeResult(const exchange::ProgressReport& report)>& exchange);

}  // namespace retort::apps
