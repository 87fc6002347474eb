import json, os
def update(path, name, result):
    results = {}
    if os.path.exists(path):
        results = json.load(open(path))
    results[name] = result
    with open(path + ".part", "w") as f:
        json.dump(results, f, indent=1)
    os.replace(path + ".part", path)
