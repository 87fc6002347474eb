"""Beside scikit-learn: its own checks, its SVC, its pipelines."""
import collections
import pickle
import unittest
import warnings

import numpy as np

import support
from support import limbic, photo

SVC = limbic.svm.SVC


@support.needs_sklearn
class CheckEstimator(unittest.TestCase):
    def check(self, **params):
        import sklearn
        from sklearn.utils.estimator_checks import check_estimator
        if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 6):
            self.skipTest(f"scikit-learn {sklearn.__version__} has other checks; 1.6 is needed")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = check_estimator(SVC(**params), on_fail=None, on_skip=None)
        count = collections.Counter(result["status"] for result in results)
        told = ", ".join(f"{n} {status}" for status, n in sorted(count.items()))
        print(f"check_estimator of SVC({', '.join(f'{k}={v!r}' for k, v in params.items())}): {told}")
        for result in results:
            if result["status"] != "passed":
                print(f"  {result['status']}: {result['check_name']}: {result['exception']}")
        self.assertEqual([result["check_name"] for result in results
                          if result["status"] not in ("passed", "skipped")], [])
        self.assertGreater(count["passed"], 45)

    def test_default(self):
        self.check()

    def test_linear_with_probability(self):
        self.check(kernel="linear", probability=True)

    def test_precomputed(self):
        self.check(kernel="precomputed")


@support.needs_sklearn
class BesideItsSvc(unittest.TestCase):
    KERNELS = (dict(), dict(kernel="linear"), dict(kernel="poly", coef0=1), dict(gamma="auto"),
               dict(C=10, class_weight="balanced"))

    def sets(self):
        from sklearn import datasets
        for name in ("iris", "digits", "breast_cancer"):
            x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
            deviation = np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
            yield name, (x - x.mean(axis=0)) / deviation, y
            # Raw, scikit-learn's linear and polynomial kernels take minutes over breast cancer.
            yield f"{name}, raw", x, y

    def test_predictions_decisions_and_attributes(self):
        from sklearn.svm import SVC as Theirs
        for name, x, y in self.sets():
            worst = collections.defaultdict(float)
            for params in self.KERNELS:
                if "cancer, raw" in name and params.get("kernel") in ("linear", "poly"):
                    continue
                with self.subTest(name, **params):
                    params = dict(params, decision_function_shape="ovo")
                    loose, their_loose = SVC(**params).fit(x, y), Theirs(**params).fit(x, y)
                    np.testing.assert_array_equal(loose.predict(x), their_loose.predict(x))
                    ours, theirs = (make(tol=1e-6, **params).fit(x, y) for make in (SVC, Theirs))
                    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
                    difference = np.abs(ours.decision_function(x) - theirs.decision_function(x)).max()
                    self.assertLess(difference, 1e-3)
                    at_1e_3 = np.abs(loose.decision_function(x) - their_loose.decision_function(x))
                    worst["tol 1e-6"] = max(worst["tol 1e-6"], difference)
                    worst["tol 1e-3"] = max(worst["tol 1e-3"], at_1e_3.max())
                    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-3)
                    for attribute in ("classes_", "class_weight_"):
                        np.testing.assert_allclose(getattr(ours, attribute),
                                                   getattr(theirs, attribute))
                    # A vector whose alpha is nearly 0 may be one on one side alone.
                    self.assertEqual(ours.dual_coef_.shape[0], theirs.dual_coef_.shape[0])
                    if np.array_equal(ours.support_, theirs.support_):
                        np.testing.assert_array_equal(ours.n_support_, theirs.n_support_)
                        np.testing.assert_allclose(ours.support_vectors_, theirs.support_vectors_,
                                                   rtol=1e-6)
                        np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=2e-3)
                        worst["same support vectors"] += 1
                    if params.get("kernel") == "linear":
                        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)
                    worst["settings"] += 1
                    ovr = dict(params, decision_function_shape="ovr", tol=1e-6)
                    np.testing.assert_allclose(SVC(**ovr).fit(x, y).decision_function(x),
                                               Theirs(**ovr).fit(x, y).decision_function(x), atol=1e-3)
            print(f"{name}: predictions equal in {worst['settings']:.0f} settings, the same support "
                  f"vectors in {worst['same support vectors']:.0f}; decisions within "
                  f"{worst['tol 1e-6']:.1e} at tol 1e-6, {worst['tol 1e-3']:.1e} at tol 1e-3")
            self.assertGreater(worst["same support vectors"], 0)

    def test_probabilities_are_near(self):
        from sklearn.datasets import load_iris
        from sklearn.svm import SVC as Theirs
        x, y = load_iris(return_X_y=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = Theirs(probability=True, random_state=0).fit(x, y).predict_proba(x)
        ours = SVC(probability=True, random_state=0).fit(x, y).predict_proba(x)
        self.assertLess(np.abs(ours - theirs).mean(), 0.03)  # other folds


@support.needs_sklearn
class Pipelines(unittest.TestCase):
    def test_grid_search_clone_and_pickle(self):
        from sklearn.base import clone, is_classifier
        from sklearn.datasets import load_iris
        from sklearn.model_selection import GridSearchCV, cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        x, y = load_iris(return_X_y=True)
        names = np.array(["setosa", "versicolor", "virginica"])[y]
        pipeline = make_pipeline(StandardScaler(), SVC())
        search = GridSearchCV(pipeline, {"svc__C": [0.1, 1, 10], "svc__kernel": ["rbf", "linear"]}, cv=3)
        search.fit(x, names)
        self.assertGreater(search.best_score_, 0.95)
        again = pickle.loads(pickle.dumps(search.best_estimator_))
        np.testing.assert_array_equal(again.predict(x), search.predict(x))
        self.assertGreater(cross_val_score(SVC(), x, names, n_jobs=2).mean(), 0.9)
        self.assertTrue(is_classifier(SVC()))
        self.assertFalse(hasattr(clone(SVC(C=5).fit(x, y)), "classes_"))
        self.assertEqual(clone(SVC(C=5)).C, 5)
        gram = x @ x.T
        self.assertGreater(cross_val_score(SVC(kernel="precomputed"), gram, y).mean(), 0.9)

    def test_features_of_photos(self):
        from sklearn.base import clone
        from sklearn.model_selection import cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC
        path = support.folder() / "net.safetensors"
        photos = [photo(i) // 2 + (0 if i % 2 else 120) for i in range(24)]
        names = ["dark" if i % 2 else "bright" for i in range(24)]
        for last in (LinearSVC(), SVC(kernel="linear")):
            pipeline = make_pipeline(limbic.FeatureExtractor(path), last).fit(photos[:16], names[:16])
            self.assertEqual(pipeline.score(photos[16:], names[16:]), 1)
            again = pickle.loads(pickle.dumps(pipeline))
            np.testing.assert_array_equal(again.predict(photos), pipeline.predict(photos))
        files = np.array([str(support.folder() / "photos" / f"{i}.png") for i in range(12)])
        extractor = limbic.FeatureExtractor(path, batch=4)
        with limbic.open(path) as model:
            np.testing.assert_allclose(extractor.fit_transform(files), model.features(list(files)),
                                       rtol=1e-4, atol=1e-5)
        cross_val_score(make_pipeline(clone(extractor), LinearSVC()), files, [0, 1] * 6, cv=2,
                        error_score="raise")
        self.assertEqual(len(extractor.get_feature_names_out()), 64)
        self.assertEqual(extractor.set_params(image_size=16).transform(files[:2]).shape, (2, 64))
        support.one_line(self, limbic.Error, extractor.transform, ["/nowhere.jpg"])
        support.one_line(self, limbic.Error, limbic.FeatureExtractor("/nowhere").fit, files)


if __name__ == "__main__":
    unittest.main()
