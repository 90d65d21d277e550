package controller

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/understudy-dev/understudy/api/v1alpha1"
)

func TestAPodThatMayNotWatchSaysSoAndGoesOn(t *testing.T) {
	t.Parallel()
	user, err := server.env.AddUser(envtest.User{Name: "pod"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := startWith(t, user.Config(), Options{Chains: []string{"forbidden"}})
	c.says("allow get, list and watch on providerchains")
	if err := c.client.Create(t.Context(), object("forbidden", "one")); err != nil {
		t.Fatal(err)
	}
	role := rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "read-forbidden"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"providerchains"}, Verbs: []string{"get", "list", "watch"}},
	}}
	binding := rbacv1.ClusterRoleBinding{
		ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "pod"}},
	}
	for _, o := range []client.Object{&role, &binding} {
		if err := c.client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	c.await("api applied")
	expect(t, c.store, "forbidden: one")
	c.says("patch on providerchains/status") // which it still may not
}

func TestACRDThatIsInstalledLaterIsFound(t *testing.T) {
	options := envtest.CRDInstallOptions{Paths: []string{"../../config/crd"}, ErrorIfPathMissing: true}
	if err := envtest.UninstallCRDs(server.cfg, options); err != nil {
		t.Fatal(err)
	}
	c := startCluster(t, "early", "")
	c.says("install the CRD")
	if _, err := envtest.InstallCRDs(server.cfg, options); err != nil {
		t.Fatal(err)
	}
	if err := c.client.Create(t.Context(), object("early", "one")); err != nil {
		t.Fatal(err)
	}
	c.await("api applied")
	expect(t, c.store, "early: one")
}
