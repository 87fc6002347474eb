#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "limbic/cli/verbs.h"
#include "limbic/limbic_c.h"

namespace limbic::serve {

/// Options::explain for the model at `path`, opened as `options` say; called once, before the
/// server begins. Throws Error.
using MakeExplain = std::function<std::string(std::string_view)> (*)(
    const std::string& path, const limbic_open_options& options);

/// The verb `limbic serve`. Without `explain` nothing can be explained.
void add_serve(const cli::Verb& app, const cli::Common& common, cli::Action& action,
               MakeExplain explain);

}  // namespace limbic::serve
